"""A kind of job: what the queue, the worker and the delivery do not know of it themselves."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from handlers.commands.context import AppContext
from handlers.jobs.payloads import REQUEST
from handlers.messages.message import Message, ShownImage
from pipeline.requests.image_request import ImageRequest
from storage.blobs import BlobStore
from storage.queue.images import StoredImage
from storage.queue.job_queue import Claim, JobQueue
from storage.queue.jobs import Job, JobKind

FinalMessage = Callable[[Job, tuple[ShownImage, ...], AppContext], Awaitable[Message]]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """One kind: `title` says in a line what a payload asks for, `final_message` what is posted at the job's end.

    `images` are the requests that a device renders for it. `record_sheet` draws their sheet when all are recorded; then
    the sheet alone is shown.
    """

    kind: JobKind
    title: Callable[[str], str]
    final_message: FinalMessage
    images: Callable[[ImageRequest], tuple[ImageRequest, ...]] = ImageRequest.images
    record_sheet: Callable[[Claim, JobQueue, BlobStore], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class JobSpecs:
    """The table of kinds, a row each."""

    rows: tuple[JobSpec, ...]

    def __getitem__(self, kind: JobKind) -> JobSpec:
        return next(spec for spec in self.rows if spec.kind is kind)

    def title(self, job: Job) -> str:
        """What the job is about, in a line."""
        return self[job.kind].title(job.payload)

    def is_shown(self, image: StoredImage, job: Job) -> bool:
        """Whether members see the image: where there is a sheet that alone, which comes after its parts."""
        spec = self[job.kind]
        return spec.record_sheet is None or image.index == len(spec.images(REQUEST.read(job.payload)))

    async def final_message(self, job: Job, images: tuple[ShownImage, ...], context: AppContext) -> Message:
        """The message at the end of the job, with the images that may be shown."""
        return await self[job.kind].final_message(job, images, context)


def prompt_of(payload: str) -> str:
    """The title of a job whose payload is a request."""
    return REQUEST.read(payload).prompt


def without_context(words: Callable[[Job, tuple[ShownImage, ...]], Message]) -> FinalMessage:
    """The final message of a job whose row and images say everything."""

    async def final_message(job: Job, images: tuple[ShownImage, ...], _context: AppContext) -> Message:
        return words(job, images)

    return final_message
