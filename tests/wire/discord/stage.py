"""Limner in this process, connected to the fake Discord: real client, stores, worker and delivery, a fake device."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import discord as sdk

from bot.assembly.runtime import Runtime
from bot.assembly.settings import Settings
from bot.discord.app import DiscordApp, running_discord
from handlers.commands.context import AppContext
from handlers.jobs.job_spec import JobSpecs
from handlers.registry import COMMANDS, JOBS
from storage.blobs import FileBlobStore
from storage.database import Database
from storage.encryption import Encryption
from tests.app_contexts import FACTS
from tests.eventually import eventually
from tests.fakes import FakeDevice
from tests.pool import working
from tests.wire.discord.fake_discord import FakeDiscord


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A running Limner on a fake Discord."""

    edge: DiscordApp
    context: AppContext
    database: Database
    device: FakeDevice


@asynccontextmanager
async def on_stage(
    discord: FakeDiscord, data: Path, empty_sqlite: Path, *, jobs: JobSpecs = JOBS, **changes: str
) -> AsyncIterator[Stage]:
    """Run Limner until the block ends; the database of an earlier run in the same folder is taken up again."""
    path = data / "limner.db"
    if not path.exists():
        shutil.copy(empty_sqlite, path)
    database = await Database.open(f"sqlite:///{path}")
    context = AppContext.over(
        database, blobs=FileBlobStore(data / "blobs"), seal=Encryption.from_file(data), models=(FACTS,),
        commands=COMMANDS, jobs=jobs,
    )  # fmt: skip
    settings = Settings(**{"LIMNER_DATA": str(data), **discord.environment, **changes})  # type: ignore[arg-type] # as from the environment
    base, gateway = sdk.http.Route.BASE, sdk.gateway.DiscordWebSocket.DEFAULT_GATEWAY
    device = FakeDevice()
    try:
        async with running_discord(settings, context) as edge:

            async def ready() -> bool:
                return await edge.check() is None

            await eventually(ready)
            runtime = Runtime(context=context, database=database, settings=settings)
            async with working(runtime, edge.platform, device):
                yield Stage(edge=edge, context=context, database=database, device=device)
    finally:
        sdk.http.Route.BASE, sdk.gateway.DiscordWebSocket.DEFAULT_GATEWAY = base, gateway
        await database.close()
