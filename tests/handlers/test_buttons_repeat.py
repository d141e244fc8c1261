"""What is repeated is repeated with all that decides its last bits."""

import pytest

from handlers.buttons import Press, press
from handlers.commands.arguments import Arguments
from handlers.commands.call import Call, Caller, Member
from handlers.commands.context import AppContext
from handlers.images.imagine import submit
from handlers.jobs.payloads import read_request
from handlers.messages.message import Verb
from pipeline.images.metadata import ImageMetadata
from pipeline.requests.image_request import ImageRequest
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.job_queue import JobQueue
from storage.queue.reply_address import ReplyAddress
from tests.fakes import request

ADA = Member(id="ada", name="Ada")
REPLY = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id="ada")


async def _newest(queue: JobQueue, guild: Guild) -> tuple[int, tuple[ImageRequest, ...]]:
    """The newest job, and the images that a device would be asked for."""
    (job,) = await queue.guild_jobs(guild.id, limit=1)
    return job.id, read_request(job.payload).images()


@pytest.fixture
async def repeated(context: AppContext, guild: Guild) -> int:
    """A job that repeats an image from its file, as `--like` does."""
    info = ImageMetadata(
        made_from=request(count=1), model_name="pocket", model_hash="0" * 10, bucket=8, lora_pages=16, device="cpu",
        dtype="float32", versions=(),
    )  # fmt: skip
    call = Call(guild=guild, member=ADA, arguments=Arguments(), reply=REPLY)
    await submit(call, context, info.request())
    job_id, (image,) = await _newest(context.queue, guild)
    assert (image.bucket, image.lora_pages) == (8, 16)
    return job_id


@pytest.mark.parametrize("verb", [Verb.AGAIN, Verb.VARY_SUBTLE])
async def test_what_is_made_of_a_repeated_image_has_its_bucket_and_its_pages(
    verb: Verb, context: AppContext, guild: Guild, repeated: int
) -> None:
    """One without the other would ask for a batch of another size."""
    caller = Caller(guild=guild, member=ADA, reply=REPLY)

    await press(Press(verb=verb, target=repeated, index=0), caller, context)

    job_id, (image,) = await _newest(context.queue, guild)
    assert job_id != repeated
    assert (image.bucket, image.lora_pages) == (8, 16)
