"""A workspace's life with Limner: the Home tab, admins, events that come twice, and the day it leaves."""

from pathlib import Path

from pipeline.families.family import ModelFamily
from pipeline.requests.device_messages import Stepped
from storage.library.loras import NewLora, new_key
from storage.platform import Platform
from tests.eventually import eventually
from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.looks import finished, private_answer
from tests.wire.slack.people import Someone
from tests.wire.slack.stage import Stage, on_stage, socket_settings
from tests.wire.slack.workspace import PostedMessage, Workspace, new_ts


async def test_the_home_tab_shows_ones_own_jobs_and_starts_an_image(ada: Someone, stage: Stage) -> None:
    """What the commands answer, one below the other, and a button to begin with."""
    stage.device.eager = False
    await ada.command("/imagine", "a fox for the home tab")
    await ada.sees(lambda _: stage.device.submitted)
    await ada.open_home()

    home = await ada.sees(lambda w: w.homes.get("UADA"))

    assert "a fox for the home tab" in str(home)
    assert "open-form:imagine" in str(home)


async def test_the_home_tab_links_to_ones_images_and_names_the_loras(ada: Someone, bob: Someone, stage: Stage) -> None:
    """Prompts stand as they were written, and another member sees no link; Slack is asked for one link alone."""
    for prompt in ("first fox", "<!channel> *owl*"):
        await ada.command("/imagine", prompt)
    messages = await ada.sees(lambda w: (found := [m for m in w.in_channel("CGEN") if m.images])[1:] and found)
    guild_id = (await stage.context.guilds.all(Platform.SLACK))[0].id
    crayon = NewLora(
        guild_id=guild_id, name="crayon", owner_id="UBOB", base_family=ModelFamily.SDXL, key=new_key(guild_id), size=9
    )
    await stage.context.loras.add(crayon)
    await eventually(lambda: _all_posted(stage))

    await ada.open_home()
    home = str(await ada.sees(lambda w: w.homes.get("UADA")))
    await bob.open_home()

    for message in messages:
        assert f"/archives/CGEN/p{message.ts.replace('.', '')}" in home
    assert "'text': '<!channel> *owl*'" in home
    assert "crayon" in home
    assert "What is kept of you here" in home
    assert "/archives/" not in str(await bob.sees(lambda w: w.homes.get("UBOB")))

    seen = ada.workspace.home_views
    await ada.open_home()
    await ada.sees(lambda w: w.home_views > seen)
    assert str(ada.workspace.homes["UADA"]).count("/archives/") == 2
    assert len(ada.slack.called("chat.getPermalink")) == 1


async def test_however_often_the_home_tab_is_opened_it_is_drawn(ada: Someone, bob: Someone, stage: Stage) -> None:
    """At least once after the last opening, and not once for each; another member's is drawn meanwhile."""
    stage.slack.unanswered.add("views.publish")
    for _ in range(16):
        await ada.open_home()
    await bob.open_home()
    await bob.sees(lambda w: "UBOB" in w.homes and "UADA" in w.homes)
    stage.device.eager = False
    await ada.command("/imagine", "a fox of the last moment")
    await ada.sees(lambda _: stage.device.submitted)
    async with stage.slack.changed:
        stage.slack.unanswered.clear()
        stage.slack.changed.notify_all()

    await ada.sees(lambda w: "a fox of the last moment" in str(w.homes.get("UADA")))

    assert len([call for call in stage.slack.called("views.publish") if call["user_id"] == "UADA"]) == 2


async def test_a_home_tab_that_slack_does_not_take_yet_is_drawn_later(ada: Someone) -> None:
    """An opening is not dropped."""
    ada.workspace.troubles["views.publish"] = ["internal_error"]

    await ada.open_home()

    assert await ada.sees(lambda w: w.homes.get("UADA"))


async def _all_posted(stage: Stage) -> bool:
    return await stage.context.outbox.unsettled(Platform.SLACK) == 0


async def test_the_home_tab_shows_nobody_elses_jobs(ada: Someone, bob: Someone, stage: Stage) -> None:
    """The tab is one's own."""
    stage.device.eager = False
    await ada.command("/imagine", "a fox for the home tab")
    await ada.sees(lambda _: stage.device.submitted)
    await bob.open_home()

    assert "a fox for the home tab" not in str(await bob.sees(lambda w: w.homes.get("UBOB")))


async def test_an_event_that_comes_three_times_is_heard_once(ada: Someone, stage: Stage) -> None:
    """Slack repeats an event that it thinks lost."""
    event = {
        "type": "app_mention", "user": "UADA", "text": "<@UB001> red fox", "ts": new_ts(), "channel": "CGEN",
        "event_ts": new_ts(),
    }  # fmt: skip
    for retry in range(3):
        await ada.event(event, event_id="Ev777", retry=retry)
    await ada.command("/limner", "queue")

    await ada.sees(private_answer())
    await ada.sees(finished)
    assert len(stage.device.submitted) == 1


async def test_what_is_repeated_after_a_restart_is_heard_once(
    slack: FakeSlack, workspace: Workspace, tmp_path: Path, empty_sqlite: Path
) -> None:
    """An event whose acknowledgement Slack did not get, and a command that somebody recorded and sends again."""
    assert workspace.team_id in slack.workspaces
    settings = socket_settings(slack, tmp_path)
    event = {
        "type": "app_mention", "user": "UADA", "text": "<@UB001> red fox", "ts": new_ts(), "channel": "CGEN",
        "event_ts": new_ts(),
    }  # fmt: skip
    again = {"trigger_id": slack.triggers.issue()}
    async with on_stage(slack, settings, empty_sqlite) as before:
        await before.member().event(event, event_id="Ev778")
        await before.member().command("/imagine", "red owl", **again)
        await before.member().sees(lambda w: len([m for m in w.messages if m.images]) == 2)

    async with on_stage(slack, settings, empty_sqlite) as after:
        await after.member().event(event, event_id="Ev778", retry=1)
        await after.member().command("/imagine", "red owl", **again)
        await after.member().command("/imagine", "blue jay")
        await after.member().sees(lambda w: len([m for m in w.messages if m.images]) == 3)

        assert len(after.device.submitted) == 1


async def test_a_stop_is_told_where_an_image_is_being_made(
    slack: FakeSlack, workspace: Workspace, tmp_path: Path, empty_sqlite: Path
) -> None:
    """No bar stands still: the message says that it goes on, and the next process does."""
    settings = socket_settings(slack, tmp_path)
    async with on_stage(slack, settings, empty_sqlite) as before:
        before.device.eager = False
        ada = before.member()
        await ada.command("/imagine", "red fox")
        await ada.sees(lambda _: before.device.submitted)
        before.device.say(Stepped(ticket=before.device.submitted[0].ticket, step=3, steps=20))
        await ada.sees(lambda w: any("3 of " in m.words for m in w.in_channel("CGEN")))

    [message] = workspace.in_channel("CGEN")
    assert "Limner is being stopped; this goes on where it was" in message.words
    async with on_stage(slack, settings, empty_sqlite) as after:
        await after.member().sees(finished)
    assert len(workspace.in_channel("CGEN")) == 1


async def test_a_missing_scope_makes_nobody_an_admin_and_stops_nothing(ada: Someone) -> None:
    """Without users:read Slack tells nothing of members; images are made all the same."""
    ada.workspace.scopes -= {"users:read"}
    await ada.command("/imagine", "red fox")

    assert await ada.sees(finished)


async def test_an_uninstalled_workspace_is_scheduled_for_deletion(ada: Someone, stage: Stage) -> None:
    """After the period of grace nothing is left of it."""
    await ada.command("/imagine", "red fox")
    await ada.sees(finished)
    await ada.event({"type": "app_uninstalled"})

    async def purged() -> bool | None:
        return await stage.context.guilds.purge(0) == 1 or None

    await eventually(purged)
    assert await stage.context.queue.get(1, 1) is None


async def test_a_connection_that_slack_closes_is_opened_again(ada: Someone, stage: Stage) -> None:
    """Slack asks for a new connection every few hours."""
    stage.slack.sockets.connected.clear()
    await stage.slack.sockets.ask_to_reconnect()
    await stage.slack.sockets.connected.wait()

    await ada.command("/imagine", "red fox")

    assert await ada.sees(finished)


async def test_settings_are_for_admins_and_stand_on_their_home_tab(eve: Someone, bob: Someone) -> None:
    """Slack has no permissions for commands: who is an admin is asked of it."""
    await bob.command("/limner", "settings --max-steps 9")
    assert "for the admins" in (await bob.sees(private_answer("UBOB"))).words

    await eve.command("/limner", "settings --max-steps 9 --allow-channel <#CGEN|general>")
    saved = (await eve.sees(private_answer("UEVE"))).words
    assert "Most steps: 9" in saved
    assert "Channels where pictures are made: <#CGEN>" in saved
    await eve.open_home()
    await bob.open_home()

    admins = str(await eve.sees(lambda w: w.homes.get("UEVE")))
    others = str(await bob.sees(lambda w: w.homes.get("UBOB")))
    assert ("Most steps: 9" in admins, "open-form:settings" in admins) == (True, True)
    assert ("Most steps: 9" in others, "open-form:settings" in others) == (False, False)
    await bob.command("/imagine", "fox", channel="CPRIV")
    assert "not made in this channel" in (await bob.sees(lambda w: _last(w.private("UBOB"), "channel"))).words


async def test_an_admin_names_another_and_takes_it_back(eve: Someone, bob: Someone) -> None:
    """Besides who is admin for Slack; the log tells who did it."""
    await eve.command("/limner", "settings --name-admin <@UBOB|bob>")
    assert "besides the platform's own: <@UBOB>" in (await eve.sees(private_answer("UEVE"))).words

    await bob.command("/limner", "settings log")
    assert "eve · admins: () → ('UBOB',)" in (await bob.sees(lambda w: _last(w.private("UBOB"), "eve"))).words
    await bob.command("/limner", "settings --forget-admin <@UBOB|bob>")
    await bob.sees(lambda w: _last(w.private("UBOB"), "Saved"))
    await bob.command("/limner", "settings")

    assert await bob.sees(lambda w: _last(w.private("UBOB"), "for the admins"))


async def test_a_command_may_be_for_a_user_group(eve: Someone, ada: Someone, bob: Someone) -> None:
    """Slack's user groups stand where Discord has roles; the workspace is asked for few of them, and seldom."""
    ada.workspace.groups["SART"] = ["UADA"]
    await eve.command("/limner", "settings --command imagine --allow-role <!subteam^SART|@art>")
    saved = await eve.sees(lambda w: _last(w.private("UEVE"), "Saved"))
    assert "/imagine only for roles: <!subteam^SART>" in saved.words

    await bob.command("/imagine", "red fox")
    assert "needs a role" in (await bob.sees(private_answer("UBOB"))).words
    await ada.command("/imagine", "red fox")

    assert await ada.sees(finished)
    assert ada.slack.called("usergroups.users.list") == [{"usergroup": "SART"}]


async def test_a_group_that_slack_does_not_tell_of_lets_nobody_in(eve: Someone, ada: Someone) -> None:
    """Without usergroups:read; an admin is let in all the same."""
    ada.workspace.groups["SART"] = ["UADA"]
    ada.workspace.scopes -= {"usergroups:read"}
    await eve.command("/limner", "settings --command imagine --allow-role SART")
    await eve.sees(lambda w: _last(w.private("UEVE"), "Saved"))

    await ada.command("/imagine", "red fox")
    assert "needs a role" in (await ada.sees(private_answer("UADA"))).words
    await eve.command("/imagine", "red fox")

    assert await eve.sees(finished)


async def test_an_export_comes_as_a_file_in_a_direct_message(ada: Someone) -> None:
    """The member who asks gets everything, and nobody else sees it."""
    await ada.command("/imagine", "red fox")
    await ada.sees(finished)
    await ada.command("/limner", "privacy export")

    shared = await ada.sees(lambda w: next((m for m in w.direct("UADA") if m.files), None))

    file = ada.workspace.files[shared.files[0]]
    assert b"red fox" in (file.data or b"")
    assert "direct message" in (await ada.sees(private_answer())).words


def _last(messages: list[PostedMessage], word: str) -> PostedMessage | None:
    return next((message for message in reversed(messages) if word in message.words), None)
