"""How an image was made, as a command that can be pasted back: from its job, or from the file itself."""

from typing import Final

from handlers.commands.attachments import OfferedFile
from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.commands.parsing import write_text
from handlers.images.imagine import COMMAND as IMAGINE
from handlers.images.options import ImagineOptions, request_options
from handlers.images.program_options import TakenOver, model_hash, taken_over
from handlers.jobs.payloads import REQUEST
from handlers.messages.message import Message
from pipeline.images.image_process import ReadParameters
from pipeline.images.metadata import ImageMetadata, parse
from pipeline.images.programs.parameters import ProgramParameters
from pipeline.processes.fair_turns import Share
from pipeline.requests.image_request import ImageRequest
from storage.queue.jobs import Job

_LIKE_IT: Final = "The command makes a picture like it, not the same: another program drew this one."
_MAX_BYTES: Final = 25 * 2**20
"""No image of ours that a chat took is larger."""


async def job_info(job: Job, caller: Caller, context: AppContext) -> Message:
    """Every parameter of `job`, what drew it, what it cost on the device, who asked."""
    request = REQUEST.read(job.payload)
    served = next((facts for facts in context.models if facts.name == request.model), None)
    known = "no longer served here" if served is None else await model_hash(served, context)
    lines = [f"Model {request.model} · hash {known}"]
    if job.device_seconds is not None:
        lines.append(f"{job.device_seconds:.1f} s on the device")
    lines.append(f"Asked by {job.member_name}")
    return Message(
        headline=f"How job {job.id} was made", lines=tuple(lines), code=command_text(request, caller), private=True
    )


async def file_parameters(file: OfferedFile, share: Share, context: AppContext) -> ImageMetadata | ProgramParameters:
    """What the file of an image says of itself; raises UserError if it says nothing that can be read."""
    taken = await file.take(context.blobs, _MAX_BYTES)
    said = await context.images.read_parameters(ReadParameters(source=await context.blobs.file(taken.blob)), share)
    return parse(said) if isinstance(said, str) else said


async def file_options(file: OfferedFile, caller: Caller, context: AppContext) -> ImagineOptions:
    """The options of /imagine that ask for an image like the one in a file; raises UserError as `file_parameters`."""
    said = await file_parameters(file, caller.share, context)
    if isinstance(said, ImageMetadata):
        return request_options(said.request(), caller.guild.settings.default_vae)
    return (await taken_over(said, caller, context)).options


async def image_info(file: OfferedFile, share: Share, context: AppContext, caller: Caller | None = None) -> Message:
    """What the file of an image says of itself, in words; raises UserError as `file_parameters`."""
    said = await file_parameters(file, share, context)
    if isinstance(said, ProgramParameters):
        return program_info(said, await taken_over(said, caller, context))
    return metadata_info(said, caller)


def metadata_info(metadata: ImageMetadata, caller: Caller | None) -> Message:
    """What an image of ours says of itself, in words."""
    lines = (
        f"Model {metadata.model_name} · hash {metadata.model_hash}",
        f"Drawn on {metadata.device} in {metadata.dtype}",
    )
    return Message(
        headline="How this picture was made", lines=lines, code=command_text(metadata.request(), caller), private=True
    )


def program_info(said: ProgramParameters, taken: TakenOver) -> Message:
    """What another program says of an image, as a command for one like it, and what that leaves out."""
    named = (said.model and f"Model {said.model}", said.model_hash and f"hash {said.model_hash}")
    model = " · ".join(filter(None, named))
    return Message(
        headline=f"How this picture was made, by {said.program}",
        lines=(*filter(None, (model,)), *taken.notes, _LIKE_IT),
        code=write_text(IMAGINE, taken.options.texts()),
        private=True,
    )


def command_text(request: ImageRequest, caller: Caller | None) -> str:
    """The command with which the caller asks for exactly `request` again."""
    default_vae = None if caller is None else caller.guild.settings.default_vae
    return write_text(IMAGINE, request_options(request, default_vae).texts())
