"""Many workspaces: each installs Limner by OAuth, its token is encrypted, renewed and never mixed up."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.slack.tenant import Tenant
from bot.slack.workspaces import ManyWorkspaces
from storage.guilds.installations import Installations
from storage.platform import Platform
from tests.eventually import eventually
from tests.wire.slack.doors import SignedRequests
from tests.wire.slack.fake_slack import CLIENT_ID, FakeSlack
from tests.wire.slack.installing import install
from tests.wire.slack.looks import finished
from tests.wire.slack.stage import Stage, oauth_settings, on_stage
from tests.wire.slack.workspace import Workspace, new_workspace


@pytest.fixture
async def stage(slack: FakeSlack, tmp_path: Path, empty_sqlite: Path) -> AsyncIterator[Stage]:
    """Limner over signed requests, installed nowhere yet."""
    async with on_stage(slack, oauth_settings(slack, tmp_path), empty_sqlite) as running:
        yield running


async def test_two_workspaces_install_and_paint_each_for_itself(stage: Stage) -> None:
    """Each gets its images by its own token, and its own guild."""
    first, second = (stage.slack.add(new_workspace(number)) for number in (1, 2))
    for workspace in (first, second):
        assert await install(stage.slack, stage.url, workspace) == 200
        await stage.someone(workspace).command("/imagine", f"a fox for {workspace.name}")

    for workspace in (first, second):
        message = await stage.someone(workspace).sees(finished)
        assert f"a fox for {workspace.name}" in message.text
        assert len(workspace.in_channel("CGEN")) == 1


async def test_tokens_are_stored_encrypted(stage: Stage) -> None:
    """Reading the database alone gives nothing that works."""
    workspace = stage.slack.add(new_workspace())
    await install(stage.slack, stage.url, workspace)

    encrypted = await Installations(stage.database, CLIENT_ID).find(Platform.SLACK, workspace.team_id)

    assert encrypted is not None
    assert workspace.token not in encrypted
    assert (await stage.edge.chat.workspaces.client(_tenant(workspace))).token == workspace.token


async def test_a_token_near_its_end_is_renewed_before_it_is_used(stage: Stage) -> None:
    """Rotation: twelve hours, and the old token is revoked; three jobs at once renew it once."""
    stage.slack.rotates = True
    workspace = stage.slack.add(new_workspace())
    await install(stage.slack, stage.url, workspace)
    assert isinstance(stage.edge.chat.workspaces, ManyWorkspaces)
    store = stage.edge.chat.workspaces.store
    bot = await store.find(workspace.team_id)
    assert bot is not None
    assert bot.bot_token_expires_at is not None
    bot.bot_token_expires_at -= 11 * 3600
    await store.async_save_bot(bot)
    old = workspace.token

    for number in range(3):
        await stage.someone(workspace).command("/imagine", f"fox {number}")
    await stage.someone(workspace).sees(lambda w: len([m for m in w.in_channel("CGEN") if m.images]) == 3)

    assert workspace.token != old
    assert workspace.revoked == {old}


async def test_an_organisation_installs_once_for_all_its_workspaces(stage: Stage) -> None:
    """The organisation's token serves each workspace; the job keeps both ids and no token."""
    workspace = stage.slack.add(new_workspace(5, enterprise_id="E9", org_wide=True))
    assert await install(stage.slack, stage.url, workspace) == 200
    ada = stage.someone(workspace)
    await ada.command("/imagine", "red fox")
    assert await ada.sees(finished)
    assert await Installations(stage.database, CLIENT_ID).tenants(Platform.SLACK) == ("E9",)

    await ada.event({"type": "app_uninstalled"})

    async def purged() -> bool | None:
        return await stage.context.guilds.purge(0) == 1 or None

    await eventually(purged)


async def test_a_removed_workspace_is_asked_to_install_again(stage: Stage) -> None:
    """Its token is forgotten at once; a late command is answered in a sentence."""
    workspace = stage.slack.add(new_workspace())
    await install(stage.slack, stage.url, workspace)
    ada = stage.someone(workspace)
    await ada.event({"type": "tokens_revoked", "tokens": {"bot": [workspace.bot_user], "oauth": []}})

    async def forgotten() -> bool | None:
        return await Installations(stage.database, CLIENT_ID).tenants(Platform.SLACK) == () or None

    await eventually(forgotten)
    await ada.command("/imagine", "red fox")
    assert "install it again" in (await ada.sees(lambda w: next(reversed(w.private("UADA")), None))).text


@pytest.mark.parametrize("how", ["another browser", "made up"])
async def test_a_forged_state_installs_nothing(stage: Stage, how: str) -> None:
    """The state comes from us and the browser that asked for it."""
    workspace = stage.slack.add(new_workspace())

    status = await install(
        stage.slack,
        stage.url,
        workspace,
        same_browser=how != "another browser",
        state="made up" if how == "made up" else None,
    )

    assert status in {400, 401}
    assert await Installations(stage.database, CLIENT_ID).tenants(Platform.SLACK) == ()


@pytest.mark.parametrize(("secret", "age"), [("wrong", 0), (None, 400)])
async def test_a_wrong_signature_and_a_stale_request_are_refused(stage: Stage, secret: str | None, age: int) -> None:
    """Neither reaches a handler."""
    workspace = stage.slack.add(new_workspace())
    await install(stage.slack, stage.url, workspace)
    good = stage.door
    assert isinstance(good, SignedRequests)
    door = SignedRequests(url=good.url, secret=secret or good.secret, age=age)

    status, _ = await door.post("events_api", {"type": "event_callback", "event_id": "Ev1", "event": {"type": "x"}})

    assert status == 401


async def test_a_replayed_request_is_heard_once(stage: Stage) -> None:
    """The signature is good, the request was here before."""
    workspace = stage.slack.add(new_workspace())
    await install(stage.slack, stage.url, workspace)
    ada = stage.someone(workspace)
    same = stage.slack.triggers.issue()
    await ada.command("/imagine", "red fox", trigger_id=same)
    await ada.command("/imagine", "red fox", trigger_id=same)
    await ada.command("/imagine", "blue fox")

    await ada.sees(lambda w: len([m for m in w.in_channel("CGEN") if m.images]) == 2)
    assert len(stage.device.submitted) == 2


async def test_slacks_question_whether_the_address_is_ours_is_answered(stage: Stage) -> None:
    """Slack asks when the manifest is saved, before anybody has installed us."""
    door = stage.door
    assert isinstance(door, SignedRequests)

    status, text = await door.post("events_api", {"type": "url_verification", "token": "x", "challenge": "fox"})

    assert (status, text) == (200, '{"challenge": "fox"}')


async def test_a_workspace_that_is_not_listed_installs_nothing(
    slack: FakeSlack, tmp_path: Path, empty_sqlite: Path
) -> None:
    """Its browser is told whom to ask, its token is given back; a listed organisation's installs."""
    unlisted, listed = slack.add(new_workspace(1)), slack.add(new_workspace(2, enterprise_id="E9", org_wide=True))
    settings = oauth_settings(slack, tmp_path, guilds="slack:E9")
    async with on_stage(slack, settings, empty_sqlite) as stage:
        assert await install(slack, stage.url, unlisted) == 403
        assert await install(slack, stage.url, listed) == 200
        await stage.someone(listed).command("/imagine", "red fox")
        assert await stage.someone(listed).sees(finished)

        assert await Installations(stage.database, CLIENT_ID).tenants(Platform.SLACK) == ("E9",)
    assert unlisted.revoked == {unlisted.token}
    assert listed.revoked == set()


def _tenant(workspace: Workspace) -> Tenant:

    return Tenant(team_id=workspace.team_id)
