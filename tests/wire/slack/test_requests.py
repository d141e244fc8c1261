"""What anyone on the internet can send to the port: no rubbish makes an error of ours, and little of it is logged."""

import asyncio
import hashlib
import hmac
import json
import logging
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from bot.assembly.health import health_app, running_health
from tests.wire.slack.fake_slack import SIGNING_SECRET, FakeSlack
from tests.wire.slack.installing import install
from tests.wire.slack.payloads import payload
from tests.wire.slack.stage import Stage, oauth_settings, on_stage
from tests.wire.slack.workspace import new_workspace

PATHS = ("/slack/events", "/slack/install", "/slack/oauth_redirect", "/healthz", "/readyz", "/metrics")
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
KINDS = ("slash_command", "block_actions", "view_submission", "block_suggestion", "message_action", "event_callback")
DEEP = "[" * 60_000

Headers = dict[str, str]


@pytest.fixture
async def stage(slack: FakeSlack, tmp_path: Path, empty_sqlite: Path) -> AsyncIterator[Stage]:
    async with on_stage(slack, oauth_settings(slack, tmp_path), empty_sqlite) as running:
        yield running


@pytest.fixture
async def port(stage: Stage) -> AsyncIterator[int]:
    """Everything that `limner serve` answers over HTTP, on one port as there."""
    app = health_app({}, stage.context.queue)
    app.add_routes(stage.edge.routes)
    async with running_health(app, "127.0.0.1", 0) as port:
        yield port


async def _exchange(port: int, request: bytes, *, seconds: float = 30.0) -> bytes:
    """What the server answers before it hangs up, or nothing where it waits for more than so long."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(seconds):
            return await reader.read()
    except (ConnectionError, TimeoutError):
        return b""
    finally:
        writer.close()


async def _status(port: int, path: str, body: bytes, headers: Headers, method: str = "POST") -> int:
    """The status of one well-formed request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: limner", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    answer = await _exchange(port, "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
    assert b"Traceback" not in answer
    return int(answer.split()[1]) if answer else 0


def _signed(body: bytes, kind: str) -> Headers:
    timestamp = str(int(time.time()))
    digest = hmac.new(SIGNING_SECRET.encode(), b"v0:%s:%s" % (timestamp.encode(), body), hashlib.sha256).hexdigest()
    return {"Content-Type": kind, "X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest}"}


@asynccontextmanager
async def _quiet(caplog: pytest.LogCaptureFixture, lines: int) -> AsyncIterator[None]:
    """No error is logged in the block, and no more than so many lines."""
    with caplog.at_level(logging.INFO):
        caplog.clear()
        yield
    assert [record.getMessage() for record in caplog.records if record.exc_info or record.levelno > 30] == []
    assert len(caplog.records) <= lines


MALFORMED = [
    (b"{", JSON),
    (b"[]", JSON),
    (b"null", JSON),
    (b'"x"', JSON),
    (b"17", JSON),
    (DEEP.encode(), JSON),
    (b'{"type": "event_callback"}', JSON),
    (b'{"type": "event_callback", "event": 5}', JSON),
    (b'{"type": "event_callback", "event": {}, "authorizations": 3}', JSON),
    (b"\xff\xfe{", JSON),
    (b"payload=%7B", FORM),
    (b"payload=[]", FORM),
    (b"payload={}&payload=5", FORM),
    (b"payload=" + DEEP.encode(), FORM),
    (urlencode({"payload": json.dumps({"type": "block_actions", "user": 5})}).encode(), FORM),
    (urlencode({"payload": json.dumps({"type": "view_submission", "user": {}})}).encode(), FORM),
    (b"command=/imagine&text=fox", FORM),
    (b"command=/imagine&team_id=T1", FORM),
]


@pytest.mark.parametrize(("body", "kind"), MALFORMED)
async def test_the_signature_comes_before_the_body(
    port: int, body: bytes, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Unsigned rubbish is unsigned; what is signed and still no payload is malformed."""
    async with _quiet(caplog, 1):
        assert await _status(port, "/slack/events", body, {"Content-Type": kind}) == 401
        assert await _status(port, "/slack/events", body, _signed(body, kind)) == 400


@pytest.mark.parametrize(
    "changed",
    [
        {"X-Slack-Request-Timestamp": "now"},
        {"X-Slack-Request-Timestamp": ""},
        {"X-Slack-Request-Timestamp": "-1"},
        {"X-Slack-Request-Timestamp": "9" * 400},
        {"X-Slack-Request-Timestamp": "1e9"},
        {"X-Slack-Request-Timestamp": "\xb2\xb3"},
        {"X-Slack-Signature": ""},
        {"X-Slack-Signature": "v0=\xe9\xe9"},
        {"X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Signature": "v1=" + "0" * 64},
    ],
)
async def test_a_signature_that_is_none_is_refused(
    port: int, changed: Headers, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever stands in the two headers."""
    body = b'{"type": "url_verification", "challenge": "fox"}'
    async with _quiet(caplog, 1):
        assert await _status(port, "/slack/events", body, _signed(body, JSON) | changed) == 401
        assert await _status(port, "/slack/events", body, _signed(body, JSON)) == 200


async def test_a_body_without_end_is_not_read(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """Stated, sent in pieces or packed: more than Slack ever sends is 413, signed or not."""
    large = b" " * (2**20 + 1)
    chunked = b"POST /slack/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    async with _quiet(caplog, 2):
        assert await _status(port, "/slack/events", large, {"Content-Type": JSON}) == 413
        assert await _status(port, "/slack/events", large, _signed(large, JSON)) == 413
        assert b" 413 " in (await _exchange(port, chunked + pieces * 17 + b"0\r\n\r\n"))[:20]
        assert await _status(port, "/slack/events", b"", {f"X-{n}": "x" for n in range(200)}) == 400


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"error": "<script>"},
        {"error": ""},
        {"state": ""},
        {"state": "\udce9"},
        {"state": "x" * 4000, "code": "1"},
        {"code": "a"},
        {"state": "é", "code": "\x00"},
    ],
)
async def test_the_way_back_of_an_installation_takes_anything(
    port: int, query: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """A page that says no; nothing of it is markup."""
    text = urlencode(query, errors="surrogateescape")
    state = {"Cookie": f"slack-app-oauth-state={query.get('state', '')}"} if text.isascii() and "%" not in text else {}
    async with _quiet(caplog, 0):
        status = await _status(port, f"/slack/oauth_redirect?{text}", b"", state, method="GET")
        page = await _exchange(port, f"GET /slack/oauth_redirect?{text} HTTP/1.0\r\n\r\n".encode())
    assert 200 <= status < 500
    assert b"<script>" not in page


async def test_thousands_of_rubbish_requests_are_a_line_in_the_log(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """Not one each: a full log disk would be the end of more than this port."""
    async with _quiet(caplog, 1):
        for number in range(300):
            await _status(port, "/slack/events", b"%d" % number, {})


async def test_a_fuzz_of_the_port_finds_no_fault(stage: Stage, port: int, caplog: pytest.LogCaptureFixture) -> None:
    """Random methods, paths, headers and bodies, framed well or not; then it answers as before."""
    source = random.Random(31)  # noqa: S311  the same requests each time
    async with _quiet(caplog, 2):
        for _ in range(400):
            answer = await _exchange(port, _random_request(source), seconds=0.5)
            assert not answer or int(answer.split()[1]) < 500, answer[:200]
            assert b"Traceback" not in answer
    workspace = stage.slack.add(new_workspace())
    assert await install(stage.slack, f"http://127.0.0.1:{port}", workspace) == 200
    assert await _status(port, "/healthz", b"", {}, method="GET") == 200


def _random_request(source: random.Random) -> bytes:
    """Anything between a request of Slack's with a piece of it changed and plain noise."""
    if source.random() < 0.1:
        return source.randbytes(source.randint(1, 300))
    body = source.choice([body for body, _ in MALFORMED] + [source.randbytes(50), b""])
    headers: dict[str, Any] = {"Host": "limner", "Connection": "close", "Content-Length": len(body)}
    if source.random() < 0.3:
        headers |= _signed(body, source.choice([JSON, FORM, "text/plain; charset=klingon", "multipart/form-data"]))
    for _ in range(source.randint(0, 3)):
        name = source.choice(
            [*headers, "Cookie", "Content-Encoding", "Transfer-Encoding", "Expect", "Range", "Upgrade"]
        )
        headers[name] = source.choice(
            ["", "x", "gzip", "chunked", "-1", "99999999999", "é", "\xff\xfe", "a=b;c", "100-continue"]
        )
    method = source.choice(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "BREW", "get"])
    path = source.choice(PATHS) + source.choice(
        ["", "?", "?state=%ff", "?error=%00", "/..", "//", "%2e%2e", "?" + "a&" * 900]
    )
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    request = "\r\n".join(lines).encode("latin-1", errors="replace") + b"\r\n\r\n" + body
    return request[: source.randint(1, len(request))] if source.random() < 0.1 else request


async def test_a_signed_payload_with_a_piece_of_it_changed_is_no_fault(stage: Stage, port: int) -> None:
    """What only Slack can send is held to its shape all the same: each is taken or malformed."""
    await install(stage.slack, f"http://127.0.0.1:{port}", stage.slack.add(new_workspace()))
    source = random.Random(31)  # noqa: S311  the same payloads each time
    for number in range(240):
        kind = source.choice(KINDS)
        text = json.dumps(payload(kind)).replace("TFOX", "T001").replace('"EORG"', "null")
        changed = json.loads(text)
        changed["trigger_id" if "trigger_id" in changed else "event_id"] = str(number)
        _change(source, changed)
        match kind:
            case "slash_command":
                body, content = urlencode(changed).encode(), FORM
            case "event_callback":
                body, content = json.dumps(changed).encode(), JSON
            case _:
                body, content = urlencode({"payload": json.dumps(changed)}).encode(), FORM
        assert await _status(port, "/slack/events", body, _signed(body, content)) in {200, 400, 404}, changed
    assert await _status(port, "/healthz", b"", {}, method="GET") == 200


def _change(source: random.Random, part: dict[str, Any]) -> None:
    """Take a key away, or put something else in its place, here or further down."""
    name = source.choice([key for key in part if key not in {"trigger_id", "event_id"}] or list(part))
    if isinstance(part[name], dict) and part[name] and source.random() < 0.6:
        _change(source, part[name])
    elif source.random() < 0.4:
        del part[name]
    else:
        part[name] = source.choice([None, 5, "", "x", [], {}, [None], {"id": None}, True, "é", 10**30])
