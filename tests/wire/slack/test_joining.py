"""Joining Slack: what it refuses for good, what passes, and what each is called."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from bot.assembly.platform_link import LoginRefused
from bot.assembly.runtime import Runtime
from bot.slack.app import SlackApp, running_slack
from bot.slack.transport import transport
from handlers.commands.context import AppContext
from pipeline.errors import UserError
from pipeline.supervisor import Supervisor
from storage.database import Database
from storage.encryption import Encryption
from storage.guilds.installations import Installations
from storage.platform import Platform
from tests.eventually import eventually
from tests.wire.slack.fake_slack import CLIENT_ID, FakeSlack
from tests.wire.slack.stage import oauth_settings, socket_settings
from tests.wire.slack.workspace import Workspace


@pytest.fixture
def runtime(context: AppContext, sqlite: Database, slack: FakeSlack, workspace: Workspace, tmp_path: Path) -> Runtime:
    assert workspace.team_id in slack.workspaces
    return Runtime(context=context, database=sqlite, settings=socket_settings(slack, tmp_path), supervisor=Supervisor())


async def _joined(runtime: Runtime, slack: FakeSlack, **changes: Any) -> bool:
    """Whether Slack lets us in with these settings."""
    settings = socket_settings(slack, runtime.settings.data, **changes)
    chosen = transport(settings)
    assert chosen is not None
    async with running_slack(chosen, settings, runtime) as app:
        return await eventually(lambda: _is_well(app))


async def _is_well(app: SlackApp) -> bool:
    return await app.check() is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"slack_bot_token": "xoxb-wrong"}, "Slack refused SLACK_BOT_TOKEN (invalid_auth); install the app"),
        ({"slack_app_token": "xapp-wrong"}, "Slack refused SLACK_APP_TOKEN (invalid_auth); make one with connections:"),
    ],
)
async def test_a_refused_token_is_named(
    runtime: Runtime, slack: FakeSlack, changes: dict[str, str], sentence: str
) -> None:
    """Which of the two, and where another comes from; it is not shown."""
    with pytest.raises(LoginRefused) as raised:
        await _joined(runtime, slack, **changes)

    assert sentence in str(raised.value)
    assert "wrong" not in str(raised.value)


async def test_what_passes_is_no_refusal(runtime: Runtime, slack: FakeSlack, workspace: Workspace) -> None:
    """A Slack that is down or not well; afterwards it lets us in."""
    slack.is_down = True
    with pytest.raises(UserError, match="Slack lets nobody in now") as down:
        await _joined(runtime, slack)
    slack.is_down = False
    workspace.troubles["auth.test"] = ["internal_error"]
    with pytest.raises(UserError, match=r"Slack lets nobody in now \(Slack's internal_error\)") as unwell:
        await _joined(runtime, slack)

    assert not isinstance(down.value, LoginRefused)
    assert not isinstance(unwell.value, LoginRefused)
    assert await _joined(runtime, slack)


async def test_a_workspace_that_installs_the_app_again_is_connected(
    runtime: Runtime, slack: FakeSlack, workspace: Workspace
) -> None:
    """As soon as its new token is used; one that was never here is not stored by that."""
    assert await _joined(runtime, slack)
    assert await runtime.context.guilds.find(Platform.SLACK, workspace.team_id) is None
    guild = await runtime.context.guilds.ensure(Platform.SLACK, workspace.team_id, "pixels")
    await runtime.context.connections.connect(guild.id, "A111")
    await runtime.context.connections.disconnect(guild.id, "A111")

    assert await _joined(runtime, slack)

    assert await runtime.context.guilds.all(Platform.SLACK) == (guild,)


async def test_a_slack_that_is_not_there_is_a_sentence(runtime: Runtime, slack: FakeSlack) -> None:
    """With what to look at."""
    slack.origin = "http://127.0.0.1:9"
    with pytest.raises(UserError, match=r"Slack does not answer .* check this machine's network and SLACK_API_BASE"):
        await _joined(runtime, slack)


@pytest.fixture
async def sealed(sqlite: Database, tmp_path: Path) -> None:
    """Two installations, one of which was sealed with another key."""
    installations = Installations(sqlite, CLIENT_ID)
    bot = {"app_id": "A111", "team_id": "T1", "bot_token": "x", "bot_id": "B", "bot_user_id": "U", "installed_at": 1.0}
    own, other = Encryption.from_file(tmp_path), Encryption.from_keys(Fernet.generate_key().decode())
    await installations.save(Platform.SLACK, "T1", own.encrypt(json.dumps(bot)))
    await installations.save(Platform.SLACK, "T2", other.encrypt(json.dumps(bot)))


@pytest.mark.usefixtures("sealed")
async def test_an_installation_that_cannot_be_read_keeps_no_other_away(
    runtime: Runtime, slack: FakeSlack, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named in the log; where none can be read, joining says so."""
    settings = oauth_settings(slack, tmp_path)
    chosen = transport(settings)
    assert chosen is not None
    async with running_slack(
        chosen, settings, Runtime(context=runtime.context, database=runtime.database, settings=settings)
    ):
        assert "the installation of T2 cannot be read" in caplog.text

    (tmp_path / "secret.key").unlink()
    with pytest.raises(UserError, match="No installation can be read; set the LIMNER_KEY"):
        async with running_slack(chosen, settings, runtime):
            pytest.fail("it is joined")
