"""/cancel: one job, or all of one member."""

from dataclasses import replace

import pytest

from handlers.buttons import Press, press
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.messages.message import Button, Message, Verb
from handlers.training.request import TRAINING, ConceptKind, TrainOrder
from pipeline.errors import UserError
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.job_queue import Beat
from storage.queue.jobs import OPEN_STATES, Done, JobKind, JobState
from storage.queue.reply_address import ReplyAddress
from tests.app_contexts import CallCommand
from tests.new_jobs import new_job


@pytest.fixture
def context(context: AppContext) -> AppContext:
    """Without the limit of waiting jobs, which several pages of them exceed."""
    return replace(context, most_waiting=None)


async def test_cancel_stops_what_is_ones_own(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """Another member's job is out of reach, an admin may stop any."""
    job_id = (await call("imagine", prompt="fox")).job_id
    assert job_id is not None

    with pytest.raises(UserError, match="belongs to Ada"):
        await call("cancel", member="bob", job=job_id)
    await call("cancel", member="mod", admin=True, job=job_id)

    job = await context.queue.get(guild.id, job_id)
    assert job is not None
    assert job.state is JobState.CANCELLED
    assert (await call("cancel", job=job_id)).headline == f"Job {job_id} is cancelled."
    with pytest.raises(UserError, match="Nothing of yours"):
        await call("cancel")


async def test_what_is_finished_cannot_be_cancelled(context: AppContext, call: CallCommand) -> None:
    """It says so, rather than that it is cancelled."""
    await call("imagine", prompt="fox")
    claim = await context.queue.claim("worker")
    assert claim is not None
    await context.queue.settle(claim, Done(device_seconds=1.0))

    with pytest.raises(UserError, match="already finished"):
        await call("cancel", job=claim.job.id)


async def _training(context: AppContext, guild: Guild, *, step: int = 0) -> int:
    """A training of Ada's that runs."""
    order = TrainOrder(
        key="1-a", name="rex", concept=ConceptKind.SUBJECT, files=(), class_word="dog", model="pocket", private=False
    )
    job = await context.queue.enqueue(new_job(guild.id, "ada", kind=JobKind.TRAIN, payload=TRAINING.write(order)))
    claim = await context.queue.claim("worker")
    assert claim is not None
    await context.queue.heartbeat("worker", [Beat(claim=claim, step=step, steps=100)])
    return job.id


async def _click(context: AppContext, guild: Guild, button: Button) -> Message:
    """What comes of Ada's click."""
    address = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id="ada")
    caller = Caller(guild=guild, member=Member(id="ada", name="Ada"), reply=address)
    message = await press(Press(verb=button.verb, target=button.target, index=0), caller, context)
    assert isinstance(message, Message)
    return message


async def _is_asked_to_stop(context: AppContext, guild: Guild, job_id: int) -> bool:
    job = await context.queue.get(guild.id, job_id)
    assert job is not None
    return job.cancel_requested


async def test_many_are_cancelled_after_one_question_all_of_them(
    context: AppContext, guild: Guild, call: CallCommand
) -> None:
    """Forty, not a page of them; the numbers are the true ones, and another member's jobs stay."""
    await call("imagine", prompt="owl", member="bob")
    for number in range(40):
        await call("imagine", prompt=f"fox {number}")

    question = await call("cancel")
    assert question.headline == "Cancel all 40 of yours?"
    assert len(await context.queue.member_jobs(guild.id, "ada", states=OPEN_STATES)) == 40
    ((button,),) = question.buttons
    answer = await _click(context, guild, button)

    assert (button.label, answer.headline) == ("Cancel all 40", "Cancelled 40 of yours.")
    assert await context.queue.member_jobs(guild.id, "ada", states=OPEN_STATES) == ()
    assert len(await context.queue.member_jobs(guild.id, "bob", states=OPEN_STATES)) == 1


async def test_a_few_are_cancelled_at_once(call: CallCommand) -> None:
    """Nobody is asked about three images."""
    for _ in range(3):
        await call("imagine", prompt="fox")

    assert (await call("cancel")).headline == "Cancelled 3 of yours."


@pytest.mark.parametrize(
    ("step", "loss"), [(0, "Nothing of it is kept."), (9, "It keeps the best that it has learnt.")]
)
@pytest.mark.parametrize("by", ["number", "all", "button"])
async def test_a_running_training_is_stopped_after_a_question(
    context: AppContext, guild: Guild, call: CallCommand, by: str, step: int, loss: str
) -> None:
    """However it is cancelled: hours of a device would be lost by one slip."""
    job_id = await _training(context, guild, step=step)
    match by:
        case "number":
            question = await call("cancel", job=job_id)
        case "all":
            question = await call("cancel")
        case _:
            question = await _click(context, guild, Button(verb=Verb.CANCEL, target=job_id, label="Cancel"))

    assert not await _is_asked_to_stop(context, guild, job_id)
    assert any(line.endswith(loss) for line in question.lines)
    ((button,),) = question.buttons
    await _click(context, guild, button)

    assert await _is_asked_to_stop(context, guild, job_id)


async def test_a_training_that_waits_is_cancelled_at_once(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """Nothing is lost yet."""
    job_id = await _training(context, guild)
    assert await context.queue.rescue(0) == [job_id]

    assert (await call("cancel", job=job_id)).headline == f"Job {job_id} is cancelled."
