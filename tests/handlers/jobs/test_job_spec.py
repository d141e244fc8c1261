"""The table of job kinds."""

from dataclasses import replace

import pytest

from handlers.commands.context import AppContext
from handlers.images.submission import request_cost
from handlers.jobs.job_spec import JobSpec, JobSpecs, without_context
from handlers.jobs.payloads import REQUEST
from handlers.messages.message import Button, Message, Mood, ShownImage, Verb
from handlers.registry import JOBS
from pipeline.images.image_process import ImageProcesses
from pipeline.requests.image_request import LoraUse
from storage.blobs import BlobStore
from storage.guilds.guilds import Guild
from storage.queue.images import StoredImage
from storage.queue.job_queue import Claim, JobQueue
from storage.queue.jobs import Job, JobKind, JobState
from tests.fakes import request
from tests.new_jobs import new_job

FOXES = request("red fox", count=3, loras=(LoraUse(key="k", name="crayon", scale=1.0),))


def count_images(_job: Job, images: tuple[ShownImage, ...]) -> Message:
    return Message(headline=f"{len(images)} shown")


async def no_sheet(_claim: Claim, _queue: JobQueue, _blobs: BlobStore, _images: ImageProcesses) -> None:
    raise AssertionError("none is asked for")


SPEC = JobSpec(
    kind=JobKind.IMAGINE,
    payload=REQUEST,
    title=lambda request: request.prompt,
    cost=request_cost,
    done=without_context(count_images),
    failed="None could be made; try again.",
    buttons=lambda job: ((Button(verb=Verb.AGAIN, target=job.id, label="Again"),),),
)


@pytest.fixture
async def job(context: AppContext, guild: Guild) -> Job:
    return await context.queue.enqueue(new_job(guild.id, payload=REQUEST.write(FOXES)))


def image(index: int) -> StoredImage:
    return StoredImage(
        id=1,
        job_id=1,
        index=index,
        blob="key",
        width=64,
        height=64,
        seed=7,
        parameters="",
        note="",
        created_at=0.0,
        nsfw=False,
    )


async def test_a_row_says_all_of_its_kind(job: Job, context: AppContext) -> None:
    jobs = JobSpecs((SPEC,))
    shown = ShownImage(data=b"", file_name="a.png", alt_text="a")

    assert jobs.title(job) == "red fox"
    done = replace(job, state=JobState.DONE)
    assert (await jobs.final_message(done, (shown, shown), context)).headline == "2 shown"


@pytest.mark.parametrize(
    ("state", "error", "mood", "sentence"),
    [
        (JobState.FAILED, None, Mood.FAILED, "None could be made; try again."),
        (JobState.FAILED, "The disk is full.", Mood.FAILED, "The disk is full."),
        (JobState.CANCELLED, None, Mood.CALM, "Cancelled."),
    ],
)
async def test_a_job_that_made_nothing_says_why(
    state: JobState, error: str | None, mood: Mood, sentence: str, job: Job, context: AppContext
) -> None:
    """In the worker's sentence, or else in that of its kind, over its kind's buttons."""
    message = await JobSpecs((SPEC,)).final_message(replace(job, state=state, error=error), (), context)

    assert (message.headline, message.mood, message.lines) == ("red fox", mood, (sentence,))
    assert [button.label for row in message.buttons for button in row] == ["Again"]


async def test_where_there_is_a_sheet_it_alone_is_shown(job: Job) -> None:
    """It comes after the images that it is made of."""
    plain, mixed = JobSpecs((SPEC,)), JobSpecs((replace(SPEC, record_sheet=no_sheet),))

    assert [plain.is_shown(image(index), job) for index in range(4)] == [True] * 4
    assert [mixed.is_shown(image(index), job) for index in range(4)] == [False, False, False, True]


@pytest.mark.parametrize(
    ("kind", "count"), [(JobKind.IMAGINE, 3), (JobKind.ADD_LORA, 3), (JobKind.DRAW_MAP, 1), (JobKind.MIX_LORAS, 4)]
)
def test_a_device_renders_what_the_kind_is_made_of(kind: JobKind, count: int) -> None:
    """One map, however many images it is for; a mix at each of its scales."""
    assert len(JOBS[kind].images(FOXES)) == count
