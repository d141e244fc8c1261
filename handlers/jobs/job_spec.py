"""A kind of job: all that the queue, the worker, the delivery and the buttons do not know of it themselves."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from handlers.commands.actions import Action
from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.jobs.payloads import REQUEST, Codec
from handlers.messages.job_status import ended, waiting
from handlers.messages.message import Button, Message, Mood, ShownImage, Verb
from pipeline.errors import UserError
from pipeline.images.image_process import ImageProcesses
from pipeline.requests.image_request import ImageRequest
from storage.blobs import BlobStore
from storage.queue.images import StoredImage
from storage.queue.job_queue import Claim, JobQueue
from storage.queue.jobs import Job, JobKind, JobState, NewJob, TooManyWaiting

P = TypeVar("P")

FinalMessage = Callable[[Job, tuple[ShownImage, ...], AppContext], Awaitable[Message]]


class NoRoom(UserError):
    """As many of a member's jobs wait as may; any kind of job counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What predicts device seconds: as many `units` of jobs that share a `key`, each of `seconds_per_unit` at first."""

    key: str
    units: float = 1.0
    seconds_per_unit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec(Generic[P]):
    """One kind of job, whose `payload` is written and read by a codec.

    `title` says in a line what it asks for. `cost` predicts its device seconds; `blobs` are the keys of those that it
    needs, `loras` those of the LoRAs that it uses or is to make. `waits` is whether it has a place in the queue at all.
    `done` is the message of a job that made something; where it made nothing, `failed` or `cancelled` is the sentence
    if the worker left none, and `buttons` stand under it. `actions` are what its buttons do, beside those of every job.
    `images` are the requests that a device renders for it. `record_sheet` draws their sheet when all are recorded; then
    the sheet alone is shown.
    """

    kind: JobKind
    payload: Codec[P]
    title: Callable[[P], str]
    cost: Callable[[P, AppContext], Awaitable[Cost]]
    done: FinalMessage
    failed: str
    cancelled: str = "Cancelled."
    buttons: Callable[[Job], tuple[tuple[Button, ...], ...]] = lambda _job: ()
    actions: Mapping[Verb, Action] = field(default_factory=dict)
    blobs: Callable[[P], tuple[str, ...]] = lambda _payload: ()
    loras: Callable[[P], tuple[str, ...]] = lambda _payload: ()
    waits: bool = True
    images: Callable[[ImageRequest], tuple[ImageRequest, ...]] = ImageRequest.images
    record_sheet: Callable[[Claim, JobQueue, BlobStore, ImageProcesses], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class JobSpecs:
    """The table of kinds, a row each."""

    rows: tuple[JobSpec[Any], ...]

    def __getitem__(self, kind: JobKind) -> JobSpec[Any]:
        return next(spec for spec in self.rows if spec.kind == kind)

    def title(self, job: Job) -> str:
        """What the job is about, in a line."""
        spec = self[job.kind]
        return spec.title(spec.payload.read(job.payload))

    def waits(self, job: Job) -> bool:
        """Whether the job has a place in the queue."""
        return self[job.kind].waits

    def is_shown(self, image: StoredImage, job: Job) -> bool:
        """Whether members see the image: where there is a sheet that alone, which comes after its parts."""
        spec = self[job.kind]
        return spec.record_sheet is None or image.index == len(spec.images(REQUEST.read(job.payload)))

    def action(self, job: Job, verb: Verb) -> Action | None:
        """What the button does to the job; None where its kind has no such button of its own."""
        return self[job.kind].actions.get(verb)

    async def enqueue(self, kind: JobKind, payload: object, caller: Caller, context: AppContext) -> Message:
        """Queue a job of that kind, and say when it will come; from here on nothing of it can be lost.

        Raises NoRoom where as many of the caller's jobs wait as may.
        """
        spec = self[kind]
        cost = await spec.cost(payload, context)
        new = NewJob(
            guild_id=caller.guild.id,
            member_id=caller.member.id,
            member_name=caller.member.name,
            kind=kind,
            payload=spec.payload.write(payload),
            reply=caller.reply,
            cost_key=cost.key,
            cost_units=cost.units,
            seconds_per_unit=cost.seconds_per_unit,
            blobs=spec.blobs(payload),
            loras=spec.loras(payload),
            most_waiting=context.most_waiting,
            received_id=context.inbox.handled_id,
        )
        try:
            job = await context.queue.enqueue(new)
        except TooManyWaiting as error:
            raise NoRoom(
                f"{error.waiting} of yours wait here already, and at most {context.most_waiting} may; "
                "wait until one is made, or take some back with /cancel."
            ) from error
        context.inbox.note_answered()
        place = await context.queue.place(caller.guild.id, job.id) if spec.waits else None
        return waiting(job, spec.title(payload), place, restarted=False)

    async def final_message(self, job: Job, images: tuple[ShownImage, ...], context: AppContext) -> Message:
        """The message at the end of the job, with the images that may be shown."""
        spec = self[job.kind]
        match job.state:
            case JobState.DONE:
                return await spec.done(job, images, context)
            case JobState.FAILED:
                mood, sentence = Mood.FAILED, job.error or spec.failed
            case JobState.CANCELLED:
                mood, sentence = Mood.CALM, spec.cancelled
            case JobState.QUEUED | JobState.RUNNING:
                raise ValueError(f"job {job.id} is not finished but {job.state}")
        return ended(job, self.title(job), mood, sentence, spec.buttons(job))


def without_context(words: Callable[[Job, tuple[ShownImage, ...]], Message]) -> FinalMessage:
    """The message of a job whose row and images say everything."""

    async def final_message(job: Job, images: tuple[ShownImage, ...], _context: AppContext) -> Message:
        return words(job, images)

    return final_message
