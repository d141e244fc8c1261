"""A workspace's life with Limner: the Home tab, admins, events that come twice, and the day it leaves."""

from tests.eventually import eventually
from tests.wire.slack.people import Someone
from tests.wire.slack.stage import Stage
from tests.wire.slack.test_commands import finished, told
from tests.wire.slack.workspace import new_ts


async def test_the_home_tab_shows_ones_own_jobs_and_starts_a_picture(ada: Someone, stage: Stage) -> None:
    """What the commands answer, one below the other, and a button to begin with."""
    stage.device.eager = False
    await ada.command("/imagine", "a fox for the home tab")
    await ada.sees(lambda _: stage.device.submitted)
    await ada.open_home()

    home = await ada.sees(lambda w: w.homes.get("UADA"))

    assert "a fox for the home tab" in str(home)
    assert "open-form:imagine" in str(home)


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

    await ada.sees(told())
    await ada.sees(finished)
    assert len(stage.device.submitted) == 1


async def test_a_missing_scope_makes_nobody_an_admin_and_stops_nothing(ada: Someone) -> None:
    """Without users:read Slack tells nothing of members; pictures are made all the same."""
    ada.workspace.scopes -= {"users:read"}
    await ada.command("/imagine", "red fox")

    assert await ada.sees(finished)


async def test_an_uninstalled_workspace_is_scheduled_for_deletion(ada: Someone, stage: Stage) -> None:
    """After the period of grace nothing is left of it."""
    await ada.command("/imagine", "red fox")
    await ada.sees(finished)
    await ada.event({"type": "app_uninstalled"})

    async def purged() -> bool | None:
        return await stage.studio.guilds.purge(0) == 1 or None

    await eventually(purged)
    assert await stage.studio.queue.get(1, 1) is None


async def test_a_connection_that_slack_closes_is_opened_again(ada: Someone, stage: Stage) -> None:
    """Slack asks for a new connection every few hours."""
    stage.slack.sockets.connected.clear()
    await stage.slack.sockets.ask_to_reconnect()
    await stage.slack.sockets.connected.wait()

    await ada.command("/imagine", "red fox")

    assert await ada.sees(finished)
