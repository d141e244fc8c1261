"""The workspaces that we serve: who we are there, and for how long."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from slack_sdk.oauth.installation_store import Bot
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator

from bot.slack.installations import EncryptedInstallationStore
from bot.slack.tenant import Tenant
from bot.slack.workspaces import BotIdentity, ManyWorkspaces, NotInstalled, OneWorkspace
from handlers.messages.chat_platform import TryLater
from storage.database import Database
from storage.encryption import Encryption
from storage.guilds.installations import Installations
from tests.bot.slack.conftest import FakeClient
from tests.fakes import FakeClock

TENANT = Tenant(team_id="T1")
Process = Callable[[], ManyWorkspaces]


@pytest.fixture
def store(sqlite: Database, tmp_path: Path) -> EncryptedInstallationStore:
    return EncryptedInstallationStore(Installations(sqlite, "111.222"), Encryption.from_file(tmp_path))


@pytest.fixture
def process(store: EncryptedInstallationStore, client: FakeClient, clock: FakeClock) -> Process:
    """Another process that serves the same installations."""
    rotator = AsyncTokenRotator(client_id="1", client_secret="s", client=client)
    return lambda: ManyWorkspaces(store=store, rotator=rotator, new_client=lambda _: client, clock=clock)


def _bot(token: str, expires_at: float | None = None) -> Bot:
    return Bot(
        bot_token=token, bot_id="B1", bot_user_id="U0", team_id="T1", installed_at=1.0, bot_refresh_token="r",
        bot_token_expires_at=None if expires_at is None else int(expires_at),
    )  # fmt: skip


async def test_the_one_workspace_asks_once_who_we_are(client: FakeClient) -> None:
    """Whatever it is asked about."""
    client.answers["auth.test"] = {"bot_id": "B1", "user_id": "U0", "team_id": "T1"}
    workspace = OneWorkspace(client)

    identities = [await workspace.identity(Tenant(team_id=team)) for team in ("T1", "T1")]

    assert identities == [BotIdentity(token="xoxb", bot_id="B1", user_id="U0", team_id="T1")] * 2
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


async def test_a_valid_token_serves_to_its_end_where_slack_does_not_renew_it(
    process: Process, store: EncryptedInstallationStore, client: FakeClient, clock: FakeClock
) -> None:
    """The admins are warned in time; Slack is not asked with each call; at its end the workspace installs us again."""
    await store.async_save_bot(_bot("xoxb", expires_at=time.time() + 3600))
    workspaces, warned = process(), list[str]()

    async def warn(tenant: Tenant, why: str) -> None:
        warned.append(f"{tenant.text}: {why}")

    workspaces.warn = warn
    client.refusals["oauth.v2.access"] = ["invalid_refresh_token"] * 3

    assert [(await workspaces.client(TENANT)).token for _ in range(3)] == ["xoxb"] * 3
    assert warned == ["T1: Slack does not renew Limner's access (Slack's invalid_refresh_token); install Limner again"]

    workspaces.wall_clock = lambda: time.time() + 3601
    clock.advance(61)
    with pytest.raises(NotInstalled, match="ask an admin to install Limner again"):
        await workspaces.client(TENANT)


async def test_a_slack_that_is_down_renews_later(
    process: Process, store: EncryptedInstallationStore, client: FakeClient
) -> None:
    """Nothing is said to be removed."""
    await store.async_save_bot(_bot("xoxb", expires_at=time.time() - 1))
    client.refusals["oauth.v2.access"] = ["internal_error"]

    with pytest.raises(TryLater, match="internal_error"):
        await process().client(TENANT)


async def test_a_token_that_slack_refuses_gives_way_to_a_newer_one(
    process: Process, store: EncryptedInstallationStore, client: FakeClient
) -> None:
    """Another process renewed it a moment ago: the call is made again, by the new token."""
    await store.async_save_bot(_bot("xoxb-old"))
    found = await process().client(TENANT)
    assert found.new_token is not None
    assert await found.new_token("xoxb-old") is None

    await store.async_save_bot(_bot("xoxb-new"))

    assert await found.new_token("xoxb-old") == "xoxb-new"


async def test_a_refused_token_that_has_not_ended_is_renewed(
    process: Process, store: EncryptedInstallationStore, client: FakeClient
) -> None:
    """Slack ended it before its time."""
    await store.async_save_bot(_bot("xoxb-old", expires_at=time.time() + 40_000))
    client.answers["oauth.v2.access"] = {
        "token_type": "bot", "access_token": "xoxb-new", "refresh_token": "r2", "expires_in": 43_200,
    }  # fmt: skip
    found = await process().client(TENANT)
    assert found.new_token is not None

    assert await found.new_token("xoxb-old") == "xoxb-new"
    stored = await store.find("T1")
    assert stored is not None
    assert stored.bot_token == "xoxb-new"
