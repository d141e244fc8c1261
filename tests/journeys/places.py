"""A member at each platform, behind one face: types, presses, reads, gets images."""

import io
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import discord
import simcord
from rich.console import Console

from bot.assembly.runtime import Runtime
from bot.assembly.settings import Settings
from bot.terminal.chat_platform import TerminalPlatform
from bot.terminal.rendering import Screen
from bot.terminal.session import TerminalSession
from handlers.commands.arguments import Value, read_options
from handlers.commands.context import AppContext
from handlers.commands.parsing import parse_text
from handlers.registry import COMMANDS, JOBS
from storage.blobs import FileBlobStore
from storage.database import Database
from storage.encryption import Encryption
from tests.app_contexts import FACTS
from tests.bot.discord.conftest import World, labels, simulation
from tests.bot.discord.conftest import words as text
from tests.eventually import eventually
from tests.fakes import FakeClock, FakeDevice
from tests.pool import rendering, working
from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.people import Someone
from tests.wire.slack.stage import on_stage, socket_settings
from tests.wire.slack.workspace import PostedMessage, new_workspace

_OWN_SLASH = {"imagine"}


class Place(Protocol):
    """An admin at a platform; commands are written as everywhere: `/queue`, `/imagine red fox --seed 7`."""

    async def type(self, line: str, **files: bytes) -> None:
        """Type a command; each of the files goes with the option of its name."""

    async def press(self, label: str) -> None:
        """Press the newest button of that label."""

    async def reads(self, words: str) -> str:
        """The newest answer that holds these words, once there is one."""

    async def images(self, count: int) -> list[bytes]:
        """Every image that was posted, in its order, once there are so many."""


@dataclass(slots=True, kw_only=True)
class AtTerminal:
    """The person at the terminal."""

    session: TerminalSession
    folder: Path
    output: io.StringIO
    _read: int = 0

    async def type(self, line: str, **files: bytes) -> None:
        self._read = self.output.tell()
        for name, data in files.items():
            path = self.folder.with_name(name)
            path.write_bytes(data)
            line += f" --{name} {path}"
        await self.session.run_line(line)

    async def press(self, label: str) -> None:
        buttons = self.session.chat.screen.buttons
        number = max(n for n, button in enumerate(buttons, start=1) if button.label == label)
        await self.type(f"#{number}")

    async def reads(self, words: str) -> str:
        async def look() -> str | None:
            said = self.output.getvalue()[self._read :]
            return said if words in said else None

        return await eventually(look)

    async def images(self, count: int) -> list[bytes]:
        async def look() -> list[Path] | None:
            found = sorted(self.folder.glob("*.png")) if self.folder.exists() else []
            return found if len(found) >= count else None

        found = await eventually(look)
        await self.session.wait_until_delivered()
        return [path.read_bytes() for path in found]


@dataclass(slots=True, kw_only=True)
class InSlack:
    """An admin of a Slack workspace."""

    someone: Someone
    _read: set[str] = field(default_factory=set)

    async def type(self, line: str, **files: bytes) -> None:
        self._note()
        forms = set(self.someone.workspace.views)
        name, _, text = line.removeprefix("/").partition(" ")
        if name in _OWN_SLASH:
            await self.someone.command(f"/{name}", text)
        else:
            await self.someone.command("/limner", f"{name} {text}")
        if files:
            form = await self.someone.sees(lambda w: next((v for id_, v in w.views.items() if id_ not in forms), None))
            acked = await self.someone.submit(form, **{name: [self.someone.owns(data)] for name, data in files.items()})
            assert acked.payload == {}

    async def press(self, label: str) -> None:
        self._note()
        newest = next(m for m in reversed(self.someone.workspace.messages) if label in m.buttons)
        await self.someone.click(newest, label)

    async def reads(self, words: str) -> str:
        def look(_: object) -> str | None:
            new = [m for m in self.someone.workspace.messages if m.ts not in self._read]
            return next((m.words for m in reversed(new) if words in m.words), None)

        found: str = await self.someone.sees(look)
        return found

    async def images(self, count: int) -> list[bytes]:
        def look(_: object) -> list[bytes] | None:
            files = [self.someone.workspace.files[id_] for message in self._finished() for id_ in message.images]
            return [file.data or b"" for file in files] if len(files) >= count else None

        found: list[bytes] = await self.someone.sees(look)
        return found

    def _finished(self) -> list[PostedMessage]:
        return [message for message in self.someone.workspace.in_channel("CGEN") if message.images]

    def _note(self) -> None:
        self._read = {message.ts for message in self.someone.workspace.messages}


@dataclass(slots=True, kw_only=True)
class OnDiscord:
    """Somebody who manages a Discord server."""

    world: World
    _said: list[discord.Message | simcord.ResponseMessage] = field(default_factory=list)

    async def type(self, line: str, **files: bytes) -> None:
        command, text = self.world.context.called(line)
        if command.rest is not None and command.rest.required:
            # A prompt may hold flags on Discord too: what was copied from Info can be pasted into it.
            given: dict[str, Value] = {command.rest.name: text}
        else:
            given = read_options(command, parse_text(command, text)).given()
        handed = {name: (name, data) for name, data in files.items()}
        self._note(await self.world.admin.slash(self.world.channel, command.name, **given, **handed))

    async def press(self, label: str) -> None:
        shown = [*self.world.channel.history(), *self._said]
        newest = next(message for message in reversed(shown) if label in labels(message))
        self._note(await self.world.admin.click(newest, label=label))

    async def reads(self, words: str) -> str:
        said = [text(message).replace("\\", "") for message in reversed(self._said)]
        found = next((each for each in said if words in each), None)
        assert found is not None, said
        return found

    async def images(self, count: int) -> list[bytes]:
        async def look() -> list[discord.Attachment] | None:
            await self.world.deliver()
            files = [file for message in self.world.channel.history() for file in message.attachments]
            return files if len(files) >= count else None

        return [await file.read() for file in await eventually(look)]

    def _note(self, result: simcord.InteractionResult) -> None:
        self._said += [message for message in (result.response, *result.followups) if message is not None]


@asynccontextmanager
async def at_terminal(data: Path, empty_sqlite: Path) -> AsyncIterator[Place]:
    """A terminal with its own database."""
    shutil.copy(empty_sqlite, data / "limner.db")
    database = await Database.open(f"sqlite:///{data / 'limner.db'}")
    try:
        blobs = FileBlobStore(data / "blobs")
        context = AppContext.over(
            database, blobs=blobs, seal=Encryption.from_file(data), models=(FACTS,), commands=COMMANDS, jobs=JOBS
        )
        settings = Settings(_env_file=None, data=data)
        runtime = Runtime(context=context, database=database, settings=settings)
        output = io.StringIO()
        platform = TerminalPlatform(folder=data / "images", screen=Screen(console=Console(file=output, width=500)))
        async with working(runtime, platform, FakeDevice()):
            session = await TerminalSession.open(runtime, platform)
            yield AtTerminal(session=session, folder=data / "images", output=output)
    finally:
        await database.close()


@asynccontextmanager
async def on_discord(data: Path, empty_sqlite: Path) -> AsyncIterator[Place]:
    """A simulated Discord server."""
    shutil.copy(empty_sqlite, data / "limner.db")
    clock = FakeClock()
    database = await Database.open(f"sqlite:///{data / 'limner.db'}", clock)
    try:
        blobs = FileBlobStore(data / "blobs")
        context = AppContext.over(
            database,
            blobs=blobs,
            seal=Encryption.from_file(data),
            models=(FACTS,),
            commands=COMMANDS,
            jobs=JOBS,
        )
        async with simulation(context, clock) as world, rendering(context, FakeDevice()):
            yield OnDiscord(world=world)
    finally:
        await database.close()


@asynccontextmanager
async def in_slack(data: Path, empty_sqlite: Path) -> AsyncIterator[Place]:
    """A Slack workspace, over Socket Mode; what Slack's judges find fails the journey."""
    async with FakeSlack().running() as slack:
        slack.add(new_workspace())
        async with on_stage(slack, socket_settings(slack, data), empty_sqlite) as stage:
            yield InSlack(someone=stage.member("UEVE"))
        assert slack.violations == []
