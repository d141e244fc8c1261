"""The attacks of `benchmarks.attacks`: each is what members send, or anyone outside, and waits for the answers."""

import asyncio
import hashlib
import hmac
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import aiohttp
import psutil
from simcord.backend.models import Interaction

from handlers.messages.message import Verb
from tests.eventually import eventually
from tests.pipeline.images.hostile import large_png, tiff_of_pages
from tests.wire.discord.fake_discord import FakeDiscord, Fault
from tests.wire.discord.people import Person, text
from tests.wire.slack.fake_slack import SIGNING_SECRET
from tests.wire.slack.process import Served

_TIFF_PAGES: Final = 97_000
_NO_ANSWER: Final = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where an attack happens: `eve` is a member of a server, `served` is the process under attack."""

    served: Served
    discord: FakeDiscord
    eve: Person
    scale: float = 1.0

    def times(self, count: int) -> range:
        """So many, or fewer where the scale is smaller."""
        return range(max(1, round(count * self.scale)))


Attack = Callable[[Ground], Awaitable[None]]


def answer_of(person: Person, interaction: Interaction) -> str:
    """What the person has read so far in answer to what they sent."""
    ids = [interaction.message_id, *interaction.followup_ids]
    known = person.server.discord.backend.messages.get(person.server.channel_id, {})
    return "\n".join(text(known[id_]) for id_ in ids if id_ is not None and id_ in known)


async def answered(person: Person, *interactions: Interaction) -> None:
    """Wait until each has an answer, or has opened a form."""

    async def look() -> bool:
        return all(each.modal is not None or answer_of(person, each) for each in interactions)

    await eventually(look)


@cache
def large() -> bytes:
    """A PNG of 32 megapixels."""
    return large_png()


@cache
def many_pages() -> bytes:
    """A TIFF of more pages than Pillow counts in an hour."""
    return tiff_of_pages(_TIFF_PAGES)


async def images(ground: Ground) -> None:
    """24 PNGs of 32 megapixels at once, of 90 kB each."""
    data = large()
    await answered(ground.eve, *(_edit(ground.eve, "large.png", data) for _ in ground.times(24)))


async def pages(ground: Ground) -> None:
    """Six TIFFs of 97,000 pages at once."""
    data = many_pages()
    await answered(ground.eve, *(_edit(ground.eve, "pages.tiff", data) for _ in ground.times(6)))


async def braces(ground: Ground) -> None:
    """Choices within choices, forty deep."""
    prompt = "{a|" * 40 + "a" + "}" * 40
    await answered(ground.eve, *(ground.eve.slash("imagine", prompt=prompt, steps=2) for _ in ground.times(4)))


async def windows(ground: Ground) -> None:
    """Prompts of which one encoder makes another number of windows than the other."""
    lengths = itertools.islice(itertools.cycle((30, 76, 78, 150, 154, 228)), len(ground.times(12)))
    await answered(ground.eve, *(ground.eve.slash("imagine", prompt="!" * length, steps=4) for length in lengths))


async def jobs(ground: Ground) -> None:
    """120 images of one member, at once."""
    sent = [ground.eve.slash("imagine", prompt=f"fox {number}", steps=20) for number in ground.times(120)]
    await answered(ground.eve, *sent)


async def upload(ground: Ground) -> None:
    """Finished images that Discord does not take for half a minute."""
    refusal = Fault(method="PATCH", path="/webhooks/*", status=429, retry_after=30, times=10**6, file="slowpoke*")
    post = Fault(method="POST", path="/channels/*", status=429, retry_after=30, times=10**6, file="slowpoke*")
    ground.discord.faults += [refusal, post]
    try:
        sent = [ground.eve.slash("imagine", prompt="slowpoke", steps=2) for _ in ground.times(12)]
        await answered(ground.eve, *sent)
        await asyncio.sleep(10 * ground.scale)
    finally:
        ground.discord.faults.remove(refusal)
        ground.discord.faults.remove(post)


async def integers(ground: Ground) -> None:
    """Numbers that no column and no float holds, in every place that takes one."""
    huge = ("9" * 20, "9" * 400, "-" + "9" * 30, "1e999", "٩" * 30)
    flags = ("seed", "steps", "count", "width", "guidance", "n")
    sent = [
        ground.eve.slash("imagine", prompt=f"fox --{flag} {number}")
        for flag, number in itertools.product(flags, huge)
        for _ in ground.times(2)
    ]
    sent += [ground.eve.slash("cancel", job=10**exponent) for exponent in (18, 19, 20, 40)]
    await answered(ground.eve, *sent)


async def buttons(ground: Ground) -> None:
    """Clicks on buttons of jobs that are somebody else's, or were never there."""
    message = ground.eve.post(("a.png", b"?"))
    verbs = [Verb.SAVE, Verb.INFO, Verb.AGAIN, Verb.DELETE, Verb.CANCEL, Verb.UPSCALE]
    targets = [*range(1, 10), 2**31, 2**63 - 1, 9_999_999_999_999_999_999]
    forged = [f"v1:{verb.value}:{target}:0" for verb in verbs for target in targets]
    forged += ["v1:save:-1:0", "v1:save:1:999", "v2:save:1:0", "v1::::", "\0", "x" * 100]
    for custom_id in forged[:: max(1, round(1 / ground.scale))]:
        ground.eve.forge(message, custom_id)
        await asyncio.sleep(0.02)


async def bodies(ground: Ground) -> None:
    """Requests to Slack's edge that are none, signed and not."""
    payloads = (
        b"", b"{", b"[" * 100_000, b"\xff\xfe" * 1000, b"payload=" + b"%7B" * 10_000, b"null", b'{"type": 7}',
        b'{"type": "url_verification", "challenge": ' + b"9" * 5000 + b"}", b"a=b&" * 50_000, b"payload=%00",
        b"x" * 3_000_000,
    )  # fmt: skip
    kinds = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/\xe9", "")
    url = f"{ground.served.url}/slack/events"
    async with aiohttp.ClientSession(timeout=_NO_ANSWER) as session:
        for _ in ground.times(2):
            for payload, kind, signed in itertools.product(payloads, kinds, (True, False)):
                headers = {"Content-Type": kind, **(_signature(payload) if signed else {})}
                await _post(session, url, payload, headers)


async def death(ground: Ground) -> None:
    """The device's process dies under what it makes, twice."""
    sent = [ground.eve.slash("imagine", prompt="fox", steps=20) for _ in ground.times(4)]
    await answered(ground.eve, *sent)
    for _ in ground.times(2):
        for child in psutil.Process(ground.served.process.pid).children():
            if any("pipeline.devices" in word for word in child.cmdline()):
                child.kill()
        await asyncio.sleep(6 * ground.scale)


def prepare() -> None:
    """Make what takes time to make, which must not count as the neighbour's."""
    large()
    many_pages()


ATTACKS: Final[Mapping[str, Attack]] = {
    "images": images,
    "pages": pages,
    "bodies": bodies,
    "buttons": buttons,
    "integers": integers,
    "upload": upload,
    "windows": windows,
    "jobs": jobs,
    "death": death,
    "braces": braces,
}
"""In this order: one that may end the process for good comes last."""


def _edit(person: Person, name: str, data: bytes) -> Interaction:
    return person.slash("edit", prompt="a blue fox", steps=4, image=(name, data))


def _signature(body: bytes) -> dict[str, str]:
    timestamp = str(int(time.time()))
    signed = hmac.new(SIGNING_SECRET.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={signed}"}


async def _post(session: aiohttp.ClientSession, url: str, payload: bytes, headers: Mapping[str, str]) -> None:
    try:
        async with session.post(url, data=payload, headers=headers) as response:
            await response.read()
    except (aiohttp.ClientError, ConnectionError):  # it hung up on us, which is an answer
        return
