"""Limner in this process, connected to the fake Slack: real adapter, stores, worker and delivery, a fake device."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.assembly.runtime import Runtime
from bot.assembly.settings import Settings
from bot.slack.app import SlackApp, open_slack
from bot.slack.transport import transport
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.context.allowed_guilds import AllowedGuilds
from handlers.jobs.job_spec import JobSpecs
from handlers.registry import COMMANDS, JOBS
from storage.blobs import FileBlobStore
from storage.database import Database
from storage.encryption import Encryption
from tests.app_contexts import FACTS
from tests.fakes import FakeDevice
from tests.pool import working
from tests.wire.slack.doors import Door, SignedRequests
from tests.wire.slack.fake_slack import APP_TOKEN, CLIENT_ID, CLIENT_SECRET, SIGNING_SECRET, FakeSlack
from tests.wire.slack.people import Someone
from tests.wire.slack.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A running Limner and the Slack that it is connected to."""

    slack: FakeSlack
    edge: SlackApp
    context: AppContext
    database: Database
    device: FakeDevice
    door: Door
    url: str = ""

    def someone(self, workspace: Workspace, user: str = "UADA") -> Someone:
        """A member of a workspace."""
        return Someone(slack=self.slack, workspace=workspace, door=self.door, id=user)

    def member(self, user: str = "UADA") -> Someone:
        """A member of the only workspace."""
        (workspace,) = self.slack.workspaces.values()
        return self.someone(workspace, user)


def socket_settings(slack: FakeSlack, data: Path, **changes: Any) -> Settings:
    """One workspace over Socket Mode."""
    (workspace,) = slack.workspaces.values()
    values = {"slack_bot_token": workspace.token, "slack_app_token": APP_TOKEN, **changes}
    return Settings(_env_file=None, data=data, slack_api_base=slack.api_base, **values)


def oauth_settings(slack: FakeSlack, data: Path, **changes: Any) -> Settings:
    """Many workspaces over signed requests."""
    values = {
        "slack_signing_secret": SIGNING_SECRET, "slack_client_id": CLIENT_ID, "slack_client_secret": CLIENT_SECRET,
        **changes,
    }  # fmt: skip
    return Settings(_env_file=None, data=data, slack_api_base=slack.api_base, **values)


@asynccontextmanager
async def on_stage(
    slack: FakeSlack, settings: Settings, empty_sqlite: Path, commands: tuple[Command, ...] = COMMANDS,
    jobs: JobSpecs = JOBS,
) -> AsyncIterator[Stage]:  # fmt: skip
    """Run Limner until the block ends; the database of an earlier run in the same folder is taken up again."""
    path = settings.data / "limner.db"
    if not path.exists():
        shutil.copy(empty_sqlite, path)
    database = await Database.open(f"sqlite:///{path}")
    device = FakeDevice()
    blobs = FileBlobStore(settings.data / "blobs")
    limit = settings.max_upload_mb * 2**20
    context = AppContext.over(
        database,
        blobs=blobs,
        seal=Encryption.from_file(settings.data),
        models=(FACTS,),
        commands=commands,
        jobs=jobs,
        max_upload_bytes=limit,
    )
    context = replace(context, allowed_guilds=AllowedGuilds.parse(settings.guilds))
    try:
        runtime = Runtime(context=context, database=database, settings=settings)
        chosen = transport(settings)
        assert chosen is not None
        async with (
            open_slack(chosen, settings, runtime) as edge,
            _serving(edge) as url,
            edge.listening(),
            working(runtime, edge.chat, device),
        ):
            door = SignedRequests(url=f"{url}/slack/events") if url else slack.sockets
            yield Stage(slack=slack, edge=edge, context=context, database=database, device=device, door=door, url=url)
    finally:
        await database.close()


@asynccontextmanager
async def _serving(edge: SlackApp) -> AsyncIterator[str]:
    """The edge's routes on a free port; no address where it has none."""
    if not edge.routes:
        yield ""
        return
    app = web.Application()
    app.add_routes(edge.routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
