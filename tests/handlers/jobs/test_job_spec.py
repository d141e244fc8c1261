"""The table of job kinds."""

from dataclasses import replace

import pytest

from handlers.commands.context import AppContext
from handlers.jobs.job_spec import JobSpec, JobSpecs, prompt_of, without_context
from handlers.jobs.payloads import REQUEST
from handlers.messages.message import Message, ShownImage
from handlers.registry import JOBS
from pipeline.requests.image_request import LoraUse
from storage.blobs import BlobStore
from storage.guilds.guilds import Guild
from storage.queue.images import StoredImage
from storage.queue.job_queue import Claim, JobQueue
from storage.queue.jobs import Job, JobKind
from tests.fakes import request
from tests.new_jobs import new_job

FOXES = request("red fox", count=3, loras=(LoraUse(key="k", name="crayon", scale=1.0),))


def count_images(_job: Job, images: tuple[ShownImage, ...]) -> Message:
    return Message(headline=f"{len(images)} shown")


async def no_sheet(_claim: Claim, _queue: JobQueue, _blobs: BlobStore) -> None:
    raise AssertionError("none is asked for")


SPEC = JobSpec(kind=JobKind.IMAGINE, title=prompt_of, final_message=without_context(count_images))


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
    assert (await jobs.final_message(job, (shown, shown), context)).headline == "2 shown"


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
