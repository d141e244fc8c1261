"""A further kind of job is one file: this one adds /shout, and runs it from the command to its delivery."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Annotated, Final

import pytest

from handlers.buttons import Press, press
from handlers.commands.call import Caller, Member
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.dispatch import answer
from handlers.commands.option import Details
from handlers.commands.options import Options
from handlers.delivery.delivery import Delivery
from handlers.jobs.job_spec import Cost, JobSpec, JobSpecs, without_context
from handlers.jobs.payloads import Codec
from handlers.jobs.preparation import Progress, ResultImage
from handlers.messages.message import Button, Message, Mood, ShownImage, Verb
from handlers.registry import COMMANDS, JOBS
from handlers.worker.worker import Worker
from pipeline.errors import UserError
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.jobs import Job, JobKind
from storage.queue.reply_address import ReplyAddress
from tests.eventually import eventually
from tests.fakes import FakeChat, FakeClock, FakeDevice, png, request

KIND: Final = JobKind("shout")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shout:
    """The words to shout, so many times."""

    words: str
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShoutOptions(Options):
    """The options of /shout."""

    words: Annotated[str, Details("What to shout", rest=True)]
    times: Annotated[int | None, Details("How often", low=1, high=3)] = None


async def shout(caller: Caller, options: ShoutOptions, context: AppContext) -> Message:
    """Queue it."""
    return await context.jobs.enqueue(KIND, Shout(words=options.words, times=options.times or 1), caller, context)


async def _cost(order: Shout, _context: AppContext) -> Cost:
    return Cost(key="shout", units=order.times, seconds_per_unit=0.5)


def _shouted(job: Job, images: tuple[ShownImage, ...]) -> Message:
    button = Button(verb=Verb.INFO, target=job.id, label="Louder")
    return Message(headline="Shouted", mood=Mood.DONE, images=images, buttons=((button,),), job_id=job.id)


async def _louder(job: Job, _index: int, _caller: Caller, _context: AppContext) -> Message:
    return Message(headline=SHOUT.payload.read(job.payload).words.upper())


async def prepare(job: Job, progress: Progress) -> ResultImage:
    """What the worker does for it."""
    order = SHOUT.payload.read(job.payload)
    if "quietly" in order.words:
        raise UserError("Nobody shouts quietly; leave the word out.")
    progress(1, 1)
    return ResultImage(png=png(request(order.words)), device_seconds=0.1)


SHOUT: Final = JobSpec(
    kind=KIND,
    payload=Codec(Shout),
    title=lambda order: f"Shout {order.words}",
    cost=_cost,
    done=without_context(_shouted),
    failed="It could not be shouted; try again.",
    actions={Verb.INFO: _louder},
)

COMMAND: Final = Command(name="shout", help="Shout", example="/shout fox", takes=ShoutOptions, handler=shout)


@pytest.fixture
def context(context: AppContext) -> AppContext:
    """With one command and one kind of job more."""
    return replace(context, commands=(*COMMANDS, COMMAND), jobs=JobSpecs((*JOBS.rows, SHOUT)))


@pytest.fixture
def ada(guild: Guild) -> Caller:
    reply = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id="ada")
    return Caller(guild=guild, member=Member(id="ada", name="Ada"), reply=reply)


@pytest.fixture
async def working(context: AppContext) -> AsyncIterator[None]:
    worker = Worker(
        name="w", queue=context.queue, blobs=context.blobs, costs=context.costs, jobs=JobSpecs((*JOBS.rows, SHOUT)),
        devices=(FakeDevice(),), kinds={KIND: prepare}, drain_seconds=0,
    )  # fmt: skip
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    yield
    stop.set()
    await asyncio.wait_for(task, 20)


async def _delivered(context: AppContext, guild: Guild, clock: FakeClock) -> Message:
    async def ended() -> bool:
        (job,) = await context.queue.guild_jobs(guild.id)
        return job.finished_at is not None

    await eventually(ended)
    chat = FakeChat()
    await Delivery(context=context, chat=chat, poster="p", clock=clock).deliver_due()
    return chat.delivered[-1][1]


async def test_it_is_queued_made_and_delivered(
    context: AppContext, guild: Guild, ada: Caller, working: None, clock: FakeClock
) -> None:
    """In its own words, with its own button."""
    waiting = await answer(COMMAND, {"words": "fox", "times": "2"}, ada, context)
    message = await _delivered(context, guild, clock)

    assert waiting.headline == "Shout fox"
    assert (message.headline, len(message.images)) == ("Shouted", 1)
    (button,) = message.buttons[0]
    pressed = await press(Press(verb=button.verb, target=button.target, index=0), ada, context)
    assert pressed == Message(headline="FOX")


async def test_what_it_refuses_is_delivered_as_its_sentence(
    context: AppContext, guild: Guild, ada: Caller, working: None, clock: FakeClock
) -> None:
    await answer(COMMAND, {"words": "fox, quietly"}, ada, context)
    message = await _delivered(context, guild, clock)

    assert (message.headline, message.mood) == ("Shout fox, quietly", Mood.FAILED)
    assert message.lines == ("Nobody shouts quietly; leave the word out.",)


async def test_the_queue_lists_it_by_its_title(context: AppContext, ada: Caller) -> None:
    """And its own buttons are no other kind's."""
    await answer(COMMAND, {"words": "fox"}, ada, context)
    listed = await answer(context.command("queue"), {}, ada, context)
    (job,) = await context.queue.guild_jobs(ada.guild.id)

    assert "Shout fox" in listed.lines[0]
    with pytest.raises(UserError, match="about no picture"):
        await press(Press(verb=Verb.AGAIN, target=job.id, index=0), ada, context)
