"""An AppContext on a real SQLite file, and a member who calls commands in it."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from handlers.commands.arguments import Value, read_options
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.messages.message import Message
from handlers.registry import COMMANDS, JOBS
from pipeline.families.family import ModelFamily
from pipeline.models.metadata import ModelFacts
from pipeline.requests.image_request import Scheduler
from storage.blobs import FileBlobStore
from storage.database import Database
from storage.encryption import Encryption
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress
from tests.fakes import FakeClock, images_opened_here

FACTS = ModelFacts(
    name="pocket", family=ModelFamily.SDXL, width=128, height=128, steps=20, guidance_scale=5.0,
    scheduler=Scheduler.EULER, max_pixels=256 * 256, parameters=8_000_000, hash="0123456789",
)  # fmt: skip

CallCommand = Callable[..., Awaitable[Message]]


@pytest.fixture
async def sqlite(empty_sqlite: Path, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Database]:
    """An open database in a file of its own: for tests of what stands above storage."""
    path = tmp_path / "limner.db"
    shutil.copy(empty_sqlite, path)
    database = await Database.open(f"sqlite:///{path}", clock)
    yield database
    await database.close()


@pytest.fixture
def context(sqlite: Database, tmp_path: Path) -> AppContext:
    context = AppContext.over(
        sqlite,
        blobs=FileBlobStore(tmp_path / "blobs"),
        seal=Encryption.from_file(tmp_path),
        models=(FACTS,),
        commands=COMMANDS,
        jobs=JOBS,
    )
    return replace(context, new_seed=lambda: 42, images=images_opened_here())


@pytest.fixture
async def guild(context: AppContext) -> Guild:
    return await context.guilds.ensure(Platform.TERMINAL, "guild-1", "Pixel People")


@pytest.fixture
def call(context: AppContext, guild: Guild) -> CallCommand:
    async def call_command(
        name: str, /, *, member: str = "ada", admin: bool = False, channel: str = "general", **values: Value
    ) -> Message:
        command = context.command(name)
        fresh = await context.guilds.get(guild.id)
        assert fresh is not None
        raw = {key.replace("_", "-"): value for key, value in values.items()}
        address = ReplyAddress(platform=Platform.TERMINAL, channel_id=channel, user_id=member)
        who = Member(id=member, name=member.title(), is_admin=admin)
        caller = Caller(guild=fresh, member=who, reply=address)
        return await command.handler(caller, read_options(command, raw), context)

    return call_command
