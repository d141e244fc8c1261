"""The judge bites: each thing that Discord refuses is found, whatever the library under test would do."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.wire.discord import specification
from tests.wire.discord.fake_discord import FakeDiscord
from tests.wire.discord.specification import Specification, discords_own

_POST = ("POST", "/channels/1/messages")
_EDIT = ("PATCH", "/webhooks/1/token/messages/@original")
_COMMANDS = ("PUT", "/applications/1/commands")
_ANSWER = ("POST", "/interactions/1/token/callback")


@pytest.fixture(scope="module")
def judge() -> Specification:
    return discords_own()


def button(**changes: Any) -> dict[str, Any]:
    return {"type": 2, "style": 1, "label": "Again", "custom_id": "again", **changes}


def row(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": 1, "components": list(parts)}


def message(**changes: Any) -> dict[str, Any]:
    return {
        "content": "a fox", "flags": 0, "components": [row(button())], "allowed_mentions": {"parse": ["users"]},
        "attachments": [{"id": "0", "filename": "fox.png", "description": "a fox"}], **changes,
    }  # fmt: skip


def command(**changes: Any) -> dict[str, Any]:
    option = {"type": 3, "name": "prompt", "description": "What to draw", "required": True}
    return {"name": "imagine", "description": "Draw", "type": 1, "options": [option], "contexts": [0], **changes}


def modal(**changes: Any) -> dict[str, Any]:
    field = {"type": 4, "custom_id": "prompt", "style": 1}
    label = {"type": 18, "label": "Prompt", "component": field, **changes}
    return {"type": 9, "data": {"custom_id": "form", "title": "Draw", "components": [label]}}


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (_POST, message()),
        (_POST, message(nonce="n" * 25, enforce_nonce=True)),
        (_EDIT, message(tts=False)),
        (_COMMANDS, [command(), command(name="Picture info", description="", type=3, options=[])]),
        (_ANSWER, {"type": 4, "data": message()}),
        (_ANSWER, {"type": 5}),
        (_ANSWER, {"type": 8, "data": {"choices": [{"name": "pocket", "value": "pocket"}]}}),
        (_ANSWER, modal()),
        (("DELETE", "/channels/1/messages/2"), None),
        (("GET", "/users/@me"), None),
    ],
)
def test_what_discord_takes_passes(judge: Specification, operation: tuple[str, str], body: object) -> None:
    """The bodies that the cases below spoil."""
    assert judge.violation(*operation, body) is None


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (("POST", "/channels/1/pictures"), {}),
        (("PUT", "/channels/1/messages"), message()),
        (("DELETE", "/channels/1/messages/2"), {}),
        (("POST", "/users/@me/channels"), "7"),
        (("POST", "/guilds/1/templates"), {"name": "a body without a name in the document"}),
        (_POST, None),
        (_POST, message(content="x" * 4001)),
        (_POST, message(content=7)),
        (_POST, message(contents="a misspelled key")),
        (_POST, message(flags=1.5)),
        (_POST, message(nonce="n" * 26)),
        (_POST, message(allowed_mentions={"parse": ["users", "users"]})),
        (_POST, message(allowed_mentions={"parse": ["everybody"]})),
        (_POST, message(attachments=[{"id": str(number)} for number in range(11)])),
        (_POST, message(attachments=[{"filename": "fox.png"}])),
        (_POST, message(attachments=[{"id": "0", "description": "x" * 1025}])),
        (_POST, message(components=[row(*(button(custom_id=str(number)) for number in range(6)))])),
        (_POST, message(components=[row(button(label="x" * 81))])),
        (_POST, message(components=[row(button(custom_id="x" * 101))])),
        (_POST, message(components=[row(button(styl=1))])),
        (_POST, message(components=[{"type": 99}])),
        (_POST, message(components=[row()])),
        (_POST, message(embeds=[{}] * 11)),
        (_EDIT, message(nonce="only for a new message")),
        (_COMMANDS, command()),
        (_COMMANDS, [command(name="x" * 33)]),
        (_COMMANDS, [command(description="x" * 101)]),
        (_COMMANDS, [command(options=[{"type": 3, "name": str(number), "description": "x"} for number in range(26)])]),
        (_COMMANDS, [command(options=[{"type": 3, "description": "without a name"}])]),
        (_COMMANDS, [command(options=[{"type": 50, "name": "prompt", "description": "x"}])]),
        (_COMMANDS, [command(contexts=[0, 0])]),
        (_COMMANDS, [command(name_localizations={f"l{number}": "x" for number in range(35)})]),
        (_ANSWER, {"type": 4, "data": message(content="x" * 4001)}),
        (_ANSWER, {"type": 99}),
        (_ANSWER, {"type": 8, "data": {"choices": [{"name": "x", "value": "x"}] * 26}}),
        (_ANSWER, modal(label="x" * 46)),
        (_ANSWER, modal(component={"type": 2, "style": 1, "custom_id": "a button"})),
    ],
)
def test_what_discord_refuses_is_found(judge: Specification, operation: tuple[str, str], body: object) -> None:
    """By its own description: what there is, of what type, how long and how many, and no key besides."""
    assert judge.violation(*operation, body) is not None


@pytest.fixture
async def unwatched() -> AsyncIterator[FakeDiscord]:
    """A Discord whose judge may find something: that is what is tested here."""
    async with FakeDiscord().running() as fake:
        yield fake


async def test_a_wrong_request_over_the_wire_is_noted(unwatched: FakeDiscord) -> None:
    """This is what fails every test that lets the bot speak to the fake."""
    url = f"{unwatched.environment['DISCORD_API_BASE']}/channels/1/messages"
    async with aiohttp.ClientSession() as session, session.post(url, json=message(content="x" * 4001)) as answer:
        assert answer.status == 401

    [found] = unwatched.violations
    assert found.startswith("POST /channels/1/messages: ")


def test_without_the_document_a_test_fails_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is never skipped: what nobody judged would look like what somebody did."""
    monkeypatch.setattr(specification, "DOCUMENT", tmp_path / "document.json")

    with pytest.raises(FileNotFoundError, match="`make test` brings it"):
        discords_own.__wrapped__()
