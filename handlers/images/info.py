"""How an image was made, as a command that can be pasted back: from its job, or from the file itself."""

from typing import Final

from handlers.commands.attachments import OfferedFile
from handlers.commands.context import AppContext
from handlers.commands.parsing import write_text
from handlers.images.imagine import COMMAND as IMAGINE
from handlers.images.options import request_options
from handlers.jobs.payloads import REQUEST
from handlers.messages.message import Message
from pipeline.images.image_process import ReadText
from pipeline.images.metadata import KEYWORD, ImageMetadata, parse
from pipeline.processes.fair_turns import Share
from pipeline.requests.image_request import ImageRequest
from storage.queue.jobs import Job

_MAX_BYTES: Final = 25 * 2**20
"""No image of ours that a chat took is larger."""


def job_info(job: Job, context: AppContext) -> Message:
    """Every parameter of `job`, what drew it, what it cost on the device, who asked."""
    request = REQUEST.read(job.payload)
    hashes = {facts.name: facts.hash for facts in context.models}
    lines = [f"Model {request.model} · hash {hashes.get(request.model, 'no longer served here')}"]
    if job.device_seconds is not None:
        lines.append(f"{job.device_seconds:.1f} s on the device")
    lines.append(f"Asked by {job.member_name}")
    return Message(headline=f"How job {job.id} was made", lines=tuple(lines), code=command_text(request), private=True)


async def file_metadata(file: OfferedFile, share: Share, context: AppContext) -> ImageMetadata:
    """What the file of an image says of itself; raises UserError if it says nothing that can be trusted."""
    taken = await file.take(context.blobs, _MAX_BYTES)
    question = ReadText(source=await context.blobs.file(taken.blob), keyword=KEYWORD)
    return parse(await context.images.read_text(question, share))


async def image_info(file: OfferedFile, share: Share, context: AppContext) -> Message:
    """What the file of an image says of itself, in words; raises UserError as `file_metadata`."""
    return metadata_info(await file_metadata(file, share, context))


def metadata_info(metadata: ImageMetadata) -> Message:
    """What an image says of itself, in words."""
    lines = (
        f"Model {metadata.model_name} · hash {metadata.model_hash}",
        f"Drawn on {metadata.device} in {metadata.dtype}",
    )
    return Message(
        headline="How this picture was made", lines=lines, code=command_text(metadata.request()), private=True
    )


def command_text(request: ImageRequest) -> str:
    """The command that asks for exactly `request` again."""
    return write_text(IMAGINE, request_options(request).texts())
