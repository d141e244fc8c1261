"""What members send on Discord is answered, also where the process that took it is stopped."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from simcord.backend.models import Message

from handlers.registry import JOBS
from pipeline.requests.device_messages import Render
from storage.platform import Platform
from tests.eventually import eventually
from tests.wire.discord.fake_discord import FakeDiscord, Fault
from tests.wire.discord.people import Person, Server, text
from tests.wire.discord.stage import Stage, on_stage
from tests.wire.stopping import FOR_EVER, StoppedJobs, Stops, is_settled, make_older, stop_after_deletion

CALLBACK = "/interactions/*/callback"


@pytest.fixture
def stops() -> Stops:
    return Stops(1)


@pytest.fixture
async def stage(
    discord: FakeDiscord, pixels: Server, stops: Stops, tmp_path: Path, empty_sqlite: Path
) -> AsyncIterator[Stage]:
    """Limner in a process that is stopped before it has queued what was asked."""
    assert pixels.guild_id in discord.backend.guilds
    jobs = StoppedJobs(JOBS.rows, stops)
    async with on_stage(discord, tmp_path, empty_sqlite, jobs=jobs, LIMNER_STALE_SECONDS="1") as running:
        yield running


async def settled(stage: Stage) -> None:
    """Wait until nothing is left to answer."""
    await eventually(lambda: is_settled(stage.database))


async def test_a_command_is_gone_on_with(stage: Stage, discord: FakeDiscord, ada: Person, pixels: Server) -> None:
    """The image comes into the message that said 'thinking', once."""
    sent = ada.slash("imagine", prompt="red fox")

    [message] = await pixels.images(1)
    await settled(stage)

    assert message.id == sent.message_id
    assert len(pixels.messages()) == 1
    assert len(stage.device.submitted) == 1
    assert discord.count("POST", CALLBACK) == 1


async def test_a_private_command_stays_private(stage: Stage, ada: Person, pixels: Server) -> None:
    """Whatever the settings say by then."""
    await ada.reads(ada.slash("imagine", prompt="red fox", private=True), "red fox")

    assert pixels.messages() == []


async def test_a_private_result_is_shown_by_any_process(
    stage: Stage, stops: Stops, ada: Person, pixels: Server, discord: FakeDiscord
) -> None:
    """One that received nothing has no token of its own; the result is in its place, not in a direct message."""
    stops.left, stage.device.eager = 0, False
    sent = ada.slash("imagine", prompt="red fox", private=True)
    await ada.reads(sent, "red fox")
    stage.edge.client.live.drop(str(sent.message_id))

    (render,) = await eventually(lambda: _submitted(stage))
    stage.device.finish(render)
    shown = await eventually(lambda: _with_images(ada, sent.message_id, discord))

    assert shown.is_ephemeral
    assert ada.direct() == []
    assert pixels.messages() == []


async def test_clicks_and_forms_are_gone_on_with(
    stage: Stage, stops: Stops, ada: Person, pixels: Server, discord: FakeDiscord
) -> None:
    """A button that makes an image, and a form that was sent."""
    stops.left = 0
    ada.slash("imagine", prompt="red fox")
    [message] = await pixels.images(1)

    stops.left = 1
    ada.click(message, "Again")
    await pixels.images(2)
    stops.left = 1
    await ada.fill(ada.click(message, "Edit"), prompt="grey owl")
    found = await pixels.images(3)

    assert stops.seen == 2
    assert "grey owl" in text(found[-1])
    assert len(pixels.messages()) == 3


async def test_a_deletion_is_gone_on_with(
    stage: Stage, stops: Stops, ada: Person, pixels: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is gone already, its message is not."""
    stops.left = 0
    ada.slash("imagine", prompt="red fox")
    [message] = await pixels.images(1)
    stop_after_deletion(monkeypatch)

    ada.click(message, "Delete")

    async def gone() -> bool:
        return not pixels.messages()

    await eventually(gone)
    await settled(stage)


async def test_several_processes_of_one_bot_open_a_form(
    stage: Stage, stops: Stops, ada: Person, pixels: Server, discord: FakeDiscord, tmp_path: Path, empty_sqlite: Path
) -> None:
    """Each hears of the click; one opens the form, and none of the others takes the click away from it."""
    stops.left = 0
    ada.slash("imagine", prompt="red fox")
    [message] = await pixels.images(1)
    async with on_stage(discord, tmp_path, empty_sqlite):
        for number in range(2):
            await ada.fill(ada.click(message, "Edit"), prompt=f"owl {number}")
            await pixels.images(number + 2)

    assert len(pixels.messages()) == 3


@pytest.mark.parametrize("private", [False, True])
async def test_what_a_later_version_does_not_know_is_refused(
    stage: Stage, stops: Stops, ada: Person, pixels: Server, private: bool
) -> None:
    """At once, in place of 'thinking', where the process was stopped for an update."""
    stops.left = FOR_EVER
    sent = ada.slash("imagine", prompt="red fox", private=private)
    await eventually(lambda: _seen(stops))
    stage.edge.client.tree.remove_command("imagine")

    await ada.reads(sent, "another form of this command")
    await settled(stage)

    assert pixels.messages() == []


async def test_once_the_token_is_over_the_member_is_told(
    stage: Stage, stops: Stops, ada: Person, pixels: Server
) -> None:
    """Publicly where they asked publicly."""
    ada.slash("imagine", prompt="red fox")
    await eventually(lambda: _seen(stops))
    await make_older(stage.database, 14 * 60)

    await settled(stage)

    told = [text(message) for message in pixels.messages() if "send it again" in text(message)]
    assert len(told) == 1
    assert "ada, Limner was stopped before it could answer your /imagine" in told[0]
    assert stage.device.submitted == []


async def test_once_the_token_is_over_a_private_answer_is_given_directly(
    stage: Stage, stops: Stops, ada: Person, pixels: Server
) -> None:
    """Nobody else learns what was asked."""
    ada.slash("imagine", prompt="red fox", private=True)
    await eventually(lambda: _seen(stops))
    await make_older(stage.database, 14 * 60)

    await settled(stage)

    assert "/imagine" in text(ada.direct()[-1])
    assert pixels.messages() == []


async def test_what_was_never_acknowledged_is_left(
    stage: Stage, discord: FakeDiscord, ada: Person, pixels: Server
) -> None:
    """Discord has told the member so, who will have sent it again."""
    discord.faults.append(Fault(method="POST", path=CALLBACK, status=503, times=5))
    ada.slash("imagine", prompt="red fox")
    await eventually(lambda: _count(discord, 5))
    await eventually(lambda: is_settled(stage.database))

    assert pixels.messages() == []
    assert stage.device.submitted == []


async def test_what_ends_every_process_is_given_up(stage: Stage, stops: Stops, ada: Person, pixels: Server) -> None:
    """After three, so that the server goes on for everybody else."""
    stops.left = FOR_EVER

    await ada.reads(ada.slash("imagine", prompt="red fox"), "Limner was stopped each time it tried")

    assert stops.seen == 3
    await settled(stage)


async def test_what_cannot_be_stored_is_refused_at_once(
    stage: Stage, stops: Stops, ada: Person, pixels: Server
) -> None:
    """Nobody is left with 'thinking' while the database is busy, and nothing comes of it later."""
    stops.left = 0
    async with stage.database.write(urgent=True):
        sent = ada.slash("imagine", prompt="red fox")
        await ada.reads(sent, "its database does not answer; send it again")
    await stage.context.inbox.finish()

    assert await is_settled(stage.database)
    assert stage.device.submitted == []


async def test_an_event_that_another_process_has_received_is_not_answered(
    stage: Stage, stops: Stops, ada: Person, pixels: Server, discord: FakeDiscord
) -> None:
    """Several processes of one bot may hear of it; the first that stores it answers."""
    stops.left = 0
    first = ada.slash("imagine", prompt="red fox")
    await pixels.images(1)

    assert await stage.context.inbox.receive(Platform.DISCORD, str(first.id), {}) is None


async def _seen(stops: Stops) -> bool:
    return stops.seen > 0


async def _count(discord: FakeDiscord, count: int) -> bool:
    return discord.count("POST", CALLBACK) >= count


async def _submitted(stage: Stage) -> list[Render]:
    return stage.device.submitted


async def _with_images(person: Person, message_id: int | None, discord: FakeDiscord) -> Message | None:
    message = discord.backend.messages[person.server.channel_id].get(message_id or 0)
    return message if message is not None and message.attachments else None
