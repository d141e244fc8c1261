"""Slack Connect: members of another workspace in a shared channel, and what has no member at all."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.slack.workspaces import ManyWorkspaces
from storage.platform import Platform
from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.installing import install
from tests.wire.slack.looks import finished, private_answer
from tests.wire.slack.people import Someone
from tests.wire.slack.stage import Stage, oauth_settings, on_stage
from tests.wire.slack.workspace import Workspace, new_ts, new_workspace


@pytest.fixture
async def stage(slack: FakeSlack, tmp_path: Path, empty_sqlite: Path) -> AsyncIterator[Stage]:
    """Limner over signed requests, installed in one workspace."""
    workspace = slack.add(new_workspace())
    async with on_stage(slack, oauth_settings(slack, tmp_path), empty_sqlite) as running:
        assert await install(slack, running.url, workspace) == 200
        yield running


@pytest.fixture
def guest(stage: Stage) -> Someone:
    """A member of a workspace that knows nothing of us, who is an admin there."""
    (workspace,) = stage.slack.workspaces.values()
    workspace.people["UEVE"].home = "TELSEWHERE"
    return replace(stage.member("UEVE"), home="TELSEWHERE")


async def _teams(stage: Stage) -> list[str]:
    return [guild.external_id for guild in await stage.context.guilds.all(Platform.SLACK)]


async def test_a_form_of_a_guest_is_served_in_the_workspace_that_installed_us(guest: Someone, stage: Stage) -> None:
    """Its suggestions and its images; no guild is made of the guest's own workspace."""
    ada = replace(guest, id="UADA", home=None)
    await ada.command("/imagine")
    view = await ada.sees(lambda w: next(iter(w.views.values()), None))

    model = next(block for block in view["blocks"] if block.get("block_id") == "model")
    suggested = await guest.suggest(view, "model", model["element"]["action_id"], "")
    await guest.submit(view, prompt="a guest's fox")

    assert "pocket" in str(suggested.payload)
    message = await guest.sees(finished)
    assert message.channel == "CGEN"
    assert await _teams(stage) == ["T001"]


async def test_a_click_of_a_guest_is_served_there_too(guest: Someone, stage: Stage) -> None:
    """The message says which workspace posted it; who is an admin elsewhere is none here."""
    ada = replace(guest, id="UADA", home=None)
    await ada.command("/imagine", "red fox")
    message = await ada.sees(finished)

    await guest.click(message, "Delete")
    assert "ada's" in (await guest.sees(private_answer("UEVE"))).words
    await guest.click(message, "Again")

    await guest.sees(lambda w: len([m for m in w.in_channel("CGEN") if m.images]) == 2)
    assert await _teams(stage) == ["T001"]


async def test_a_form_from_where_we_are_not_installed_is_answered_in_the_form(guest: Someone, stage: Stage) -> None:
    """It was opened by a version that did not note for whom: the answer needs no token."""
    ada = replace(guest, id="UADA", home=None)
    await ada.command("/imagine")
    view = await ada.sees(lambda w: next(iter(w.views.values()), None))
    old = {**view, "private_metadata": '["imagine", null, "CGEN", null]'}
    nowhere = replace(guest, workspace=_uninstalled(guest.workspace))

    answer = await nowhere.submit(old, prompt="fox")

    assert answer.payload["response_action"] == "update"
    assert "ask an admin to install it" in str(answer.payload["view"])
    assert await _teams(stage) == []


def _uninstalled(workspace: Workspace) -> Workspace:
    return replace(workspace, team_id="TNOWHERE")


async def test_a_mention_without_a_member_is_left_alone(guest: Someone, stage: Stage) -> None:
    """A workflow mentions us; the next member is answered."""
    ada = replace(guest, id="UADA", home=None)
    event = {
        "type": "app_mention", "bot_id": "BFLOW", "text": "<@UB001> red fox", "ts": new_ts(), "channel": "CGEN",
        "event_ts": new_ts(),
    }  # fmt: skip
    await ada.event(event)
    await ada.mention("blue fox")

    assert "blue fox" in (await ada.sees(finished)).words
    assert len(stage.device.submitted) == 1


async def test_a_refresh_that_slack_refuses_stops_nothing_while_the_token_is_valid(
    slack: FakeSlack, tmp_path: Path, empty_sqlite: Path
) -> None:
    """Images come; the admins read of it before the token ends."""
    slack.rotates = True
    workspace = slack.add(new_workspace())
    async with on_stage(slack, oauth_settings(slack, tmp_path), empty_sqlite) as stage:
        await install(slack, stage.url, workspace)
        workspaces = stage.edge.chat.workspaces
        assert isinstance(workspaces, ManyWorkspaces)
        bot = await workspaces.store.find(workspace.team_id)
        assert bot is not None
        bot.bot_token_expires_at = int(time.time()) + 3600
        await workspaces.store.async_save_bot(bot)
        workspace.refresh_token = "another"
        await workspaces.remember_all()

        await stage.someone(workspace).command("/imagine", "red fox")

        assert await stage.someone(workspace).sees(finished)
        (guild,) = await stage.context.guilds.all(Platform.SLACK)
        [entry] = await stage.context.audit.entries(guild.id)
        assert "install Limner again" in entry.detail
