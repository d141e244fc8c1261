"""The workspaces that we serve: who we are there, and for how long."""

from collections.abc import Callable
from pathlib import Path

import pytest
from slack_sdk.oauth.installation_store import Bot
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.installations import EncryptedInstallationStore
from bot.slack.tenant import Tenant
from bot.slack.workspaces import BotIdentity, ManyWorkspaces, NotInstalled, OneWorkspace
from storage.database import Database
from storage.guilds.encryption import Encryption
from storage.guilds.installations import Installations
from tests.bot.slack.conftest import FakeClient
from tests.fakes import FakeClock

TENANT = Tenant(team_id="T1")
Process = Callable[[], ManyWorkspaces]


@pytest.fixture
def store(sqlite: Database, tmp_path: Path) -> EncryptedInstallationStore:
    return EncryptedInstallationStore(Installations(sqlite), Encryption.from_file(tmp_path))


@pytest.fixture
def process(store: EncryptedInstallationStore, client: FakeClient, clock: FakeClock) -> Process:
    """Another process that serves the same installations."""
    rotator = AsyncTokenRotator(client_id="1", client_secret="s", client=AsyncWebClient())
    return lambda: ManyWorkspaces(store=store, rotator=rotator, new_client=lambda _: client, clock=clock)


def _bot(token: str) -> Bot:
    return Bot(bot_token=token, bot_id="B1", bot_user_id="U0", team_id="T1", installed_at=1.0)


async def test_the_one_workspace_asks_once_who_we_are(client: FakeClient) -> None:
    """Whatever it is asked about."""
    client.answers["auth.test"] = {"bot_id": "B1", "user_id": "U0"}
    workspace = OneWorkspace(client)

    identities = [await workspace.identity(Tenant(team_id=team)) for team in ("T1", "T1")]

    assert identities == [BotIdentity(token="xoxb", bot_id="B1", user_id="U0")] * 2
    assert len(client.made("auth.test")) == 1


async def test_a_workspace_that_never_installed_us_is_a_sentence(process: Process) -> None:
    """Of both verbs."""
    workspaces = process()

    with pytest.raises(NotInstalled, match="install it again"):
        await workspaces.client(TENANT)
    with pytest.raises(NotInstalled, match="install it again"):
        await workspaces.identity(TENANT)


async def test_a_token_of_another_process_is_found_within_a_minute(
    process: Process, store: EncryptedInstallationStore, clock: FakeClock
) -> None:
    """Until then the one in memory serves."""
    await store.async_save_bot(_bot("xoxb-old"))
    workspaces = process()
    assert (await workspaces.client(TENANT)).token == "xoxb-old"
    await store.async_save_bot(_bot("xoxb-new"))
    assert (await workspaces.client(TENANT)).token == "xoxb-old"

    clock.advance(61)

    assert (await workspaces.client(TENANT)).token == "xoxb-new"


async def test_who_we_are_needs_no_database_after_the_start(
    process: Process, store: EncryptedInstallationStore, clock: FakeClock
) -> None:
    """Slack waits three seconds, and a database may be busy for longer."""
    await store.async_save_bot(_bot("xoxb"))
    workspaces = process()
    await workspaces.remember_all()
    await store.async_delete_bot(enterprise_id=None, team_id="T1")
    clock.advance(3600)

    assert (await workspaces.identity(TENANT)).user_id == "U0"


async def test_a_forgotten_workspace_is_forgotten_by_all(process: Process, store: EncryptedInstallationStore) -> None:
    """In memory and in the database."""
    await store.async_save_bot(_bot("xoxb"))
    workspaces = process()
    await workspaces.client(TENANT)

    await workspaces.forget(TENANT)

    for each in (workspaces, process()):
        with pytest.raises(NotInstalled):
            await each.client(TENANT)
