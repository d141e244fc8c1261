"""The members of `benchmarks.chaos`: what each asks for, and what each sees in the end.

What a member asked for has ended once they see a result or a sentence. What was never acknowledged, which both
platforms tell the member, counts as not taken, whatever became of it: a process that dies between taking a request in
and saying so cannot know what the platform heard.
"""

import asyncio
import contextlib
import json
import random
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import aiohttp
from simcord.backend.models import Interaction, Message

from tests.wire.discord.people import Person, labels, new_person, text
from tests.wire.discord.people import Server as DiscordServer
from tests.wire.slack.doors import SignedRequests
from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.people import Someone
from tests.wire.slack.workspace import Person as SlackPerson
from tests.wire.slack.workspace import PostedMessage, Workspace, direct_channel

KEY: Final = re.compile(r"k\d+x\d+")
"""A word that only one wish has."""

_LOOK_SECONDS: Final = 0.1
_ACKNOWLEDGED_SECONDS: Final = 3.2
_PATIENCE_SECONDS: Final = 6.0
_EVENT_TRIES: Final = 3
"""How often Slack sends an event that is not acknowledged."""
_LORA: Final = "https://civitai.com/models/12"
_STUB: Final = "Answered privately."


class End(Enum):
    """What a member sees in answer to something."""

    RESULT = "result"
    SENTENCE = "sentence"
    NOTHING = "nothing"


@dataclass(slots=True, kw_only=True)
class Ask:
    """Something that a member asked for; `key` is a word that only its images are asked for with."""

    what: str
    key: str
    acknowledged: Callable[[], bool]
    end: Callable[[], End]


@dataclass(slots=True, kw_only=True)
class Memory:
    """All that was asked for, by all members of both platforms."""

    asks: list[Ask] = field(default_factory=list)
    dice: random.Random

    def new_key(self) -> str:
        """A word that nobody used."""
        return f"k{len(self.asks)}x{self.dice.randrange(10**6)}"

    def open_asks(self) -> list[Ask]:
        """Those that were acknowledged and have not ended."""
        return [ask for ask in self.asks if ask.acknowledged() and ask.end() is End.NOTHING]


class Unheard(Exception):
    """The platform tells the member that the app did not answer."""


async def _seen(look: Callable[[], object], seconds: float = _PATIENCE_SECONDS) -> bool:
    """Whether `look` finds something within that time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not look():  # noqa: ASYNC110 - another process
                await asyncio.sleep(_LOOK_SECONDS)
            return True
    return False


class Member(ABC):
    """A member for one round of wishes."""

    memory: Memory

    @abstractmethod
    async def type(self, what: str, key: str, words: str, **options: str | int) -> bool:
        """Type a command; whether it was acknowledged."""

    @abstractmethod
    async def press(self, label: str, key: str) -> bool:
        """Press a button of the newest message about `key` that has it; whether that was acknowledged."""

    @abstractmethod
    async def fill(self, key: str, other: str) -> bool:
        """Fill the form that the last press opened, about `key`, with a prompt about `other`."""

    @abstractmethod
    def shows(self, key: str, label: str) -> bool:
        """Whether a message about `key` has that button."""

    async def wishes(self) -> None:
        """Ask for one thing, then for what its result offers."""
        key = self.memory.new_key()
        match self.memory.dice.choice(("imagine", "imagine", "imagine", "cancel", "lora", "queue")):
            case "imagine":
                await self._imagine(key)
            case "cancel":
                await self._cancel(key)
            case "lora":
                await self.type("lora add", key, f"{_LORA} --name {key}", link=_LORA, name=key)
            case _:
                await self.type("queue", "", "")

    async def _imagine(self, key: str) -> None:
        prompt = f"a fox {key}"
        if not await self.type("imagine", key, f"{prompt} --steps 3", prompt=prompt, steps=3):
            return
        if not await _seen(lambda: self.shows(key, "Again")):
            return
        label = self.memory.dice.choice(("Again", "Save", "Edit", "Info", "Again"))
        if await self.press(label, key) and label == "Edit":
            await self.fill(key, self.memory.new_key())

    async def _cancel(self, key: str) -> None:
        prompt = f"a slow fox {key}"
        if not await self.type("imagine", key, f"{prompt} --steps 60", prompt=prompt, steps=60):
            return
        if self.memory.dice.random() < 0.5 and await _seen(lambda: self.shows(key, "Cancel")):
            await self.press("Cancel", key)
        else:
            await self.type("cancel", "", "")


@dataclass(slots=True, kw_only=True)
class DiscordMember(Member):
    """A member of a server who types in one of its channels."""

    memory: Memory
    person: Person
    _form: Interaction | None = None

    async def type(self, what: str, key: str, words: str, **options: str | int) -> bool:  # noqa: ARG002 - Slack's
        """Type a command; whether it was acknowledged."""
        return await self._asked(what, key, self.person.slash(what, **options))

    async def press(self, label: str, key: str) -> bool:
        """Press a button; whether that was acknowledged."""
        message = next((m for m in reversed(self._about(key)) if label in labels(m)), None)
        if message is None:
            return False
        self._form = self.person.click(message, label)
        clicked = message.id if label == "Cancel" else None
        return await self._asked(label, key if label == "Again" else "", self._form, clicked)

    async def fill(self, key: str, other: str) -> bool:  # noqa: ARG002 - Slack's
        """Fill the form that the last press opened."""
        form = self._form
        if form is None or form.modal is None:
            return False
        return await self._asked("form", other, await self.person.fill(form, prompt=f"an owl {other}"))

    def shows(self, key: str, label: str) -> bool:
        """Whether a message has that button."""
        return any(label in labels(message) for message in self._about(key))

    async def _asked(self, what: str, key: str, sent: Interaction, clicked: int | None = None) -> bool:
        ask = Ask(
            what=f"{what} on Discord",
            key=key,
            acknowledged=lambda: sent.responded,
            end=lambda: self._end(sent, clicked),
        )
        self.memory.asks.append(ask)
        return await _seen(ask.acknowledged, _ACKNOWLEDGED_SECONDS)

    def _about(self, key: str) -> list[Message]:
        return [message for message in self.person.server.messages() if key in text(message)]

    def _end(self, sent: Interaction, clicked: int | None) -> End:
        if sent.modal is not None:
            return End.SENTENCE
        known = self.person.server.discord.backend.messages.get(sent.channel_id, {})
        message = known.get(clicked or sent.message_id or 0)
        if message is None:  # taken away, after an answer of another kind
            return End.SENTENCE
        if clicked is not None:
            return End.NOTHING if "Cancel" in labels(message) else End.SENTENCE
        if message.attachments:
            return End.RESULT
        words = text(message).strip()
        is_answered = words not in {"", _STUB} and "Cancel" not in labels(message)
        return End.SENTENCE if is_answered or sent.followup_ids else End.NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """Slack's requests, to any process that takes connections, as a load balancer passes them on."""

    ports: list[int]
    dice: random.Random

    async def send(self, kind: str, payload: dict[str, Any], *, retry: int = 0) -> dict[str, Any]:
        """What the acknowledgement carried; raises Unheard."""
        for port in self.dice.sample(self.ports, len(self.ports)):
            door = SignedRequests(url=f"http://127.0.0.1:{port}/slack/events")
            try:
                status, words = await door.post(kind, payload, retry=retry)
            except aiohttp.ClientConnectorError:
                continue
            except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
                raise Unheard from error
            if status != 200:
                raise Unheard
            return json.loads(words) if words.startswith("{") else {}
        raise Unheard


@dataclass(slots=True, kw_only=True)
class SlackMember(Member):
    """A member of a workspace who types in one of its channels, and whom nobody else is."""

    memory: Memory
    someone: Someone
    channel: str

    async def type(self, what: str, key: str, words: str, **options: str | int) -> bool:  # noqa: ARG002 - Discord's
        """Type a command; whether it was acknowledged."""
        if what == "imagine" and self.memory.dice.random() < 0.25:
            return await self._asked(f"mention: {what}", key, lambda: self._mention(words))
        return await self._asked(what, key, lambda: self.someone.command("/limner", f"{what} {words}", self.channel))

    async def press(self, label: str, key: str) -> bool:
        """Press a button; whether that was acknowledged."""
        message = next((m for m in reversed(self._about(key)) if label in m.buttons), None)
        if message is None:
            return False
        clicked = message if label == "Cancel" else None
        form = key if label == "Edit" else ""
        whose = key if label == "Again" else ""
        return await self._asked(label, whose, lambda: self.someone.click(message, label), clicked, form)

    async def fill(self, key: str, other: str) -> bool:
        """Fill the form that the last press opened."""
        if not await _seen(lambda: self._form(key)):
            return False
        view = self._form(key)
        assert view is not None
        return await self._asked("form", other, lambda: self.someone.submit(view, prompt=f"an owl {other}"))

    def shows(self, key: str, label: str) -> bool:
        """Whether a message has that button."""
        return any(label in message.buttons for message in self._about(key))

    async def _asked(
        self, what: str, key: str, send: Callable[[], Any], clicked: PostedMessage | None = None, form: str = ""
    ) -> bool:
        heard: list[bool] = []
        private, done = self._count_private(), self._done(key)

        def end() -> End:
            if key and self._done(key, images=True) > done:
                return End.RESULT
            if clicked is not None and "Cancel" not in clicked.buttons:
                return End.SENTENCE
            is_private = self._count_private() > private or (form and self._form(form))
            return End.SENTENCE if is_private or (key and self._done(key) > done) else End.NOTHING

        self.memory.asks.append(Ask(what=f"{what} on Slack", key=key, acknowledged=lambda: bool(heard), end=end))
        with contextlib.suppress(Unheard):
            await send()
            heard.append(True)
        return bool(heard)

    async def _mention(self, words: str) -> None:
        event = {
            "type": "app_mention", "user": self.someone.id, "channel": self.channel,
            "text": f"<@{self.someone.workspace.bot_user}> {words}", "ts": "1.0", "event_ts": "1.0",
        }  # fmt: skip
        id_ = f"Ev{self.memory.dice.randrange(10**9)}"
        for retry in range(_EVENT_TRIES):
            with contextlib.suppress(Unheard):
                await self.someone.event(event, event_id=id_, retry=retry)
                return
            await asyncio.sleep(1.0)
        raise Unheard

    def _about(self, key: str) -> list[PostedMessage]:
        return [m for m in self.someone.workspace.in_channel(self.channel) if key in m.words]

    def _done(self, key: str, *, images: bool = False) -> int:
        """How many messages about `key` are final, or show images."""
        about = self._about(key) if key else []
        return sum(bool(m.images) if images else "Cancel" not in m.buttons for m in about)

    def _count_private(self) -> int:
        """How many messages only this member saw."""
        workspace = self.someone.workspace
        return len(workspace.private(self.someone.id)) + len(workspace.in_channel(direct_channel(self.someone.id)))

    def _form(self, key: str) -> dict[str, Any] | None:
        views = self.someone.workspace.views.values()
        return next((view for view in views if key in json.dumps(view)), None)


def discord_member(memory: Memory, servers: list[DiscordServer]) -> DiscordMember:
    """Somebody new in one of the servers."""
    person = new_person(memory.dice.choice(servers), f"member {len(memory.asks)}")
    return DiscordMember(memory=memory, person=person)


def slack_member(memory: Memory, slack: FakeSlack, workspace: Workspace, door: Entrance) -> SlackMember:
    """Somebody new in the workspace."""
    id_ = f"U{len(workspace.people):06d}"
    workspace.people[id_] = SlackPerson(id=id_, name=id_.casefold())
    channel = memory.dice.choice([name for name in workspace.channels if name.startswith("CART")])
    someone = Someone(slack=slack, workspace=workspace, door=door, id=id_)
    return SlackMember(memory=memory, someone=someone, channel=channel)
