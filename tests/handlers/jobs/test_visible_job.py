"""Who may name a job: over every button and every command that takes a number."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from handlers.buttons import Press, press
from handlers.commands.arguments import read_options
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.jobs.payloads import REQUEST
from handlers.jobs.visible_job import visible_job
from handlers.messages.message import Verb
from handlers.training.request import TRAINING, ConceptKind, TrainFile, TrainOrder
from pipeline.errors import UserError
from pipeline.requests.control import ControlKind, ControlUse
from storage.guilds.guilds import Guild
from storage.library.loras import new_key
from storage.platform import Platform
from storage.queue.images import NewImage
from storage.queue.jobs import Done, JobKind, NewJob
from storage.queue.reply_address import ReplyAddress
from tests.fakes import png, request

_VERBS = {
    JobKind.IMAGINE: (
        Verb.CANCEL, Verb.AGAIN, Verb.VARY_SUBTLE, Verb.VARY_STRONG, Verb.UPSCALE, Verb.EDIT, Verb.INFO, Verb.SAVE,
        Verb.DELETE, Verb.SAME_CONTROL,
    ),
    JobKind.DRAW_MAP: (Verb.USE_MAP, Verb.SOFTER, Verb.STRONGER, Verb.OWN_MAP, Verb.CANCEL, Verb.DELETE),
    JobKind.CHECK_IMAGES: (Verb.TRAIN, Verb.LEAVE_OUT, Verb.CLASS_WORD, Verb.DELETE),
    JobKind.TRAIN: (Verb.PICK, Verb.CANCEL, Verb.DELETE),
    JobKind.MIX_LORAS: (Verb.CANCEL, Verb.DELETE),
}  # fmt: skip
_COMMANDS: tuple[tuple[str, str, dict[str, str], JobKind], ...] = (
    ("cancel", "job", {}, JobKind.IMAGINE),
    ("imagine", "base", {"prompt": "owl"}, JobKind.IMAGINE),
    ("control edge", "base", {"prompt": "owl"}, JobKind.IMAGINE),
    ("edit", "base", {"prompt": "owl"}, JobKind.IMAGINE),
    ("train again", "base", {"class": "dog"}, JobKind.CHECK_IMAGES),
)
_OWNERS_ALONE = {"imagine"}
"""What takes up another member's image only for its owner, openly asked for or not."""

Use = Callable[[Caller, int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to name a job of `kind`."""

    name: str
    kind: JobKind
    use: Callable[[AppContext], Use]


def _pressing(verb: Verb) -> Callable[[AppContext], Use]:
    def of(context: AppContext) -> Use:
        return lambda caller, job: press(Press(verb=verb, target=job, index=0), caller, context)

    return of


def _calling(name: str, option: str, values: dict[str, str]) -> Callable[[AppContext], Use]:
    def of(context: AppContext) -> Use:
        command = context.command(name)
        return lambda caller, job: command.handler(caller, read_options(command, {**values, option: str(job)}), context)

    return of


_WAYS = [
    *(_Way(f"{verb} of {kind}", kind, _pressing(verb)) for kind, verbs in _VERBS.items() for verb in verbs),
    *(_Way(name, kind, _calling(name, option, values)) for name, option, values, kind in _COMMANDS),
]


def test_every_verb_of_a_job_is_tried() -> None:
    """A new button is added to the table above, or it is not known to be safe."""
    assert {verb for verbs in _VERBS.values() for verb in verbs} == set(Verb) - {Verb.CALL}


def _caller(guild: Guild, member: str, channel: str = "general", thread: str | None = None) -> Caller:
    reply = ReplyAddress(platform=Platform.TERMINAL, channel_id=channel, user_id=member, thread_id=thread)
    return Caller(guild=guild, member=Member(id=member, name=member.title()), reply=reply)


async def _queued(context: AppContext, asker: Caller, kind: JobKind, *, private: bool = False) -> int:
    payload = REQUEST.write(request(controls=(ControlUse(kind=ControlKind.EDGE, image="0" * 64),)))
    if kind in (JobKind.CHECK_IMAGES, JobKind.TRAIN):
        payload = TRAINING.write(
            TrainOrder(
                key=new_key(asker.guild.id), name="rex", concept=ConceptKind.SUBJECT, class_word="dog", model="pocket",
                files=(TrainFile(blob="0" * 64, name="rex.png"),),
            )
        )  # fmt: skip
    job = await context.queue.enqueue(
        NewJob(
            guild_id=asker.guild.id, member_id=asker.member.id, member_name=asker.member.name, kind=kind,
            payload=payload, reply=replace(asker.reply, private=private), cost_key="k", cost_units=1,
        )
    )  # fmt: skip
    if kind == JobKind.IMAGINE:
        await _made(context)
    return job.id


async def _made(context: AppContext) -> None:
    """The one waiting job is done."""
    claim = await context.queue.claim("a worker")
    assert claim is not None
    blob = await context.blobs.put(png(request()))
    await context.queue.record_image(claim, NewImage(index=0, blob=blob, width=64, height=64, seed=7, parameters=""))
    await context.queue.settle(claim, Done(device_seconds=1.0))


async def _sentence(use: Use, caller: Caller, job: int) -> str:
    try:
        await use(caller, job)
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("way", _WAYS, ids=lambda way: way.name)
async def test_a_private_job_is_its_owners_alone(way: _Way, context: AppContext, guild: Guild) -> None:
    """To anyone else it is as if there were none, in the same words as for a number that was never given out."""
    ada, eve = _caller(guild, "ada"), _caller(guild, "eve")
    elsewhere = await context.guilds.ensure(Platform.TERMINAL, "guild-2", "Elsewhere")
    job = await _queued(context, ada, way.kind, private=True)
    use = way.use(context)

    unknown = await _sentence(use, eve, job + 1000)
    refused = await _sentence(use, eve, job)
    away = await _sentence(use, _caller(elsewhere, "ada"), job)

    assert refused.replace(str(job), "N") == unknown.replace(str(job + 1000), "N") == away.replace(str(job), "N")
    assert "Ada" not in refused
    assert (await _sentence(use, ada, job)).replace(str(job), "N") != unknown.replace(str(job + 1000), "N")


@pytest.mark.parametrize("way", _WAYS, ids=lambda way: way.name)
async def test_an_open_job_is_known_where_it_was_asked_for(way: _Way, context: AppContext, guild: Guild) -> None:
    """What it may be used for there is another question; in another channel it does not exist."""
    job = await _queued(context, _caller(guild, "ada"), way.kind)
    use = way.use(context)

    missing = (await _sentence(use, _caller(guild, "eve", "elsewhere"), job + 1000)).replace(str(job + 1000), "N")
    elsewhere = (await _sentence(use, _caller(guild, "eve", "elsewhere"), job)).replace(str(job), "N")
    here = (await _sentence(use, _caller(guild, "eve"), job)).replace(str(job), "N")

    assert elsewhere == missing
    assert (here == missing) is (way.name in _OWNERS_ALONE)


async def test_a_channels_job_is_open_in_its_threads_and_a_threads_job_in_that_thread(
    context: AppContext, guild: Guild
) -> None:
    """A thread may be closed to those who see its channel."""
    channels = await _queued(context, _caller(guild, "ada"), JobKind.DRAW_MAP)
    threads = await _queued(context, _caller(guild, "ada", thread="t"), JobKind.DRAW_MAP)
    there, above = _caller(guild, "eve", thread="t"), _caller(guild, "eve")

    found = [await visible_job(job, caller, context) for job in (channels, threads) for caller in (there, above)]

    assert [job is not None for job in found] == [True, True, True, False]


async def test_who_manages_messages_may_cancel_by_number(context: AppContext, guild: Guild) -> None:
    """The queue shows an admin that a private job waits; its words stay unknown."""
    job = await _queued(context, _caller(guild, "ada"), JobKind.DRAW_MAP, private=True)
    boss = replace(_caller(guild, "mod"), member=Member(id="mod", name="Mod", manages_messages=True))
    command = context.command("cancel")

    message = await command.handler(boss, read_options(command, {"job": str(job)}), context)

    assert message.headline == f"Job {job} is cancelled."
