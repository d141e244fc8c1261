"""Installations behind slack_sdk's interface: stored encrypted, found by workspace or organisation."""

from pathlib import Path

import pytest
from slack_sdk.oauth.installation_store import Bot

from bot.slack.installations import EncryptedInstallationStore
from storage.database import Database
from storage.encryption import Encryption
from storage.guilds.installations import Installations
from storage.platform import Platform


@pytest.fixture
def store(sqlite: Database, tmp_path: Path) -> EncryptedInstallationStore:
    return EncryptedInstallationStore(Installations(sqlite, "111.222"), Encryption.from_file(tmp_path))


def _bot(token: str, team_id: str | None, org_id: str | None = None) -> Bot:
    return Bot(
        bot_token=token, bot_id="B1", bot_user_id="U0", team_id=team_id, enterprise_id=org_id,
        is_enterprise_install=team_id is None, installed_at=1.0,
    )  # fmt: skip


async def test_a_bot_comes_back_whole_and_lies_encrypted(store: EncryptedInstallationStore, sqlite: Database) -> None:
    """The newest one of a workspace."""
    await store.async_save_bot(_bot("xoxb-old", "T1"))
    await store.async_save_bot(_bot("xoxb-new", "T1", "E1"))

    found = await store.async_find_bot(enterprise_id="E1", team_id="T1")

    assert found is not None
    assert (found.bot_token, found.bot_user_id) == ("xoxb-new", "U0")
    stored = await Installations(sqlite, "111.222").find(Platform.SLACK, "T1")
    assert stored is not None
    assert "xoxb" not in stored


async def test_an_organisations_bot_is_its_own(store: EncryptedInstallationStore) -> None:
    """Its deletion leaves that of a workspace."""
    await store.async_save_bot(_bot("xoxb-team", "T1"))
    await store.async_save_bot(_bot("xoxb-org", None, "E1"))
    assert {bot.bot_token for bot in await store.bots()} == {"xoxb-team", "xoxb-org"}

    await store.async_delete_bot(enterprise_id="E1", team_id=None)

    assert await store.async_find_bot(enterprise_id="E1", team_id=None, is_enterprise_install=True) is None
    assert [bot.bot_token for bot in await store.bots()] == ["xoxb-team"]


async def test_an_installation_that_names_nobody_is_a_bug(store: EncryptedInstallationStore) -> None:
    """It could never be found again."""
    with pytest.raises(ValueError, match="neither a workspace nor an organisation"):
        await store.async_save_bot(_bot("xoxb", ""))
