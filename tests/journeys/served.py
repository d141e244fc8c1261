"""Somebody in a channel of a fake Slack or Discord, to which `limner serve` is connected as its own process."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.eventually import eventually
from tests.wire.discord.fake_discord import FakeDiscord
from tests.wire.discord.people import Person, labels, new_person, new_server
from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.people import Someone
from tests.wire.slack.process import socket_environment
from tests.wire.slack.workspace import PostedMessage, new_workspace

_SECONDS = 240.0


class Channel(Protocol):
    """What a member does and sees there; `environment` leads a process to it."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The settings of a `limner serve` that is to be connected."""

    async def attach(self, command: str, prompt: str, image: bytes) -> None:
        """Type a command and hand over an image with it."""

    async def press(self, label: str) -> None:
        """Press the newest button of that label."""

    async def fill(self, prompt: str) -> None:
        """Write another prompt into the form that the last press opened, and send it."""

    async def loses(self, label: str) -> None:
        """Wait until no message has a button of that label."""

    async def image(self, button: str, other_than: bytes = b"") -> bytes:
        """The first image of the newest message with that button, once there is one."""

    def count(self) -> int:
        """How many messages with images everybody sees: who waited long is mentioned in one of its own."""


@dataclass(slots=True, kw_only=True)
class SlackChannel:
    """A member of a workspace, over Socket Mode."""

    ada: Someone
    _forms: set[str] = field(default_factory=set)

    @property
    def environment(self) -> Mapping[str, str]:
        return socket_environment(self.ada.slack)

    async def attach(self, command: str, prompt: str, image: bytes) -> None:
        self._forms = set(self.ada.workspace.views)
        await self.ada.command("/limner", f"{command} {prompt}")
        await self._submit(image=[self.ada.owns(image)])

    async def press(self, label: str) -> None:
        self._forms = set(self.ada.workspace.views)
        await self.ada.click(next(m for m in reversed(self._messages()) if label in m.buttons), label)

    async def fill(self, prompt: str) -> None:
        await self._submit(prompt=prompt)

    async def loses(self, label: str) -> None:
        await self.ada.sees(lambda _: not any(label in message.buttons for message in self._messages()), _SECONDS)

    async def image(self, button: str, other_than: bytes = b"") -> bytes:
        def look(_: object) -> bytes | None:
            found = [m.images[0] for m in self._messages() if m.images and button in m.buttons]
            data = self.ada.workspace.files[found[-1]].data if found else None
            return data if data != other_than else None

        data: bytes = await self.ada.sees(look, _SECONDS)
        return data

    def count(self) -> int:
        return sum(bool(message.images) for message in self._messages())

    async def _submit(self, **values: Any) -> None:
        form = await self.ada.sees(lambda w: next((w.views[id_] for id_ in w.views if id_ not in self._forms), None))
        assert (await self.ada.submit(form, **values)).payload == {}

    def _messages(self) -> list[PostedMessage]:
        return self.ada.workspace.in_channel("CGEN")


@dataclass(slots=True, kw_only=True)
class DiscordChannel:
    """A member of a server."""

    ada: Person
    _pressed: Any = None

    @property
    def environment(self) -> Mapping[str, str]:
        return self.ada.server.discord.environment

    async def attach(self, command: str, prompt: str, image: bytes) -> None:
        self.ada.slash(command, prompt=prompt, image=("picture.png", image))

    async def press(self, label: str) -> None:
        newest = next(m for m in reversed(self.ada.server.messages()) if label in labels(m))
        self._pressed = self.ada.click(newest, label)

    async def fill(self, prompt: str) -> None:
        await self.ada.fill(self._pressed, prompt=prompt)

    async def loses(self, label: str) -> None:
        async def look() -> bool:
            return not any(label in labels(message) for message in self.ada.server.messages())

        await eventually(look)

    async def image(self, button: str, other_than: bytes = b"") -> bytes:
        async def look() -> bytes | None:
            shown = [m for m in self.ada.server.messages() if m.attachments and button in labels(m)]
            data = self.ada.server.discord.backend.cdn.get(shown[-1].attachments[0]["url"]) if shown else None
            return data if data != other_than else None

        return await eventually(look)

    def count(self) -> int:
        return sum(bool(message.attachments) for message in self.ada.server.messages())


@asynccontextmanager
async def slack_channel() -> AsyncIterator[Channel]:
    """A workspace with one channel; what Slack's judges find fails the journey."""
    async with FakeSlack().running() as slack:
        workspace = slack.add(new_workspace())
        yield SlackChannel(ada=Someone(slack=slack, workspace=workspace, door=slack.sockets))
        assert slack.violations == []


@asynccontextmanager
async def discord_channel() -> AsyncIterator[Channel]:
    """A server with one channel; every request is held to Discord's document."""
    async with FakeDiscord().running() as discord:
        yield DiscordChannel(ada=new_person(new_server(discord, "Pixel People"), "ada"))
        assert discord.violations == []
