"""An earlier image's request, for whom may see the image: so that its control is used again."""

from dataclasses import replace
from typing import Annotated

from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.commands.option import Details
from handlers.jobs.payloads import REQUEST
from handlers.jobs.result_images import shown_images
from handlers.jobs.visible_job import visible_job
from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import ImageRequest
from storage.queue.jobs import Job, JobKind

ControlBase = Annotated[int | None, Details("Use the control of this picture again", low=1, flag_only=True)]


async def controlled_request(caller: Caller, context: AppContext, job_id: int) -> ImageRequest:
    """What job `job_id` asked for; raises InvalidRequest unless it has a control and the caller may see its image."""
    job = await visible_job(job_id, caller, context)
    if job is None or job.kind != JobKind.IMAGINE or not await _is_shown(job, caller, context):
        raise InvalidRequest("base", f"There is no picture {job_id} here that you may use; /history lists yours.")
    request = REQUEST.read(job.payload)
    if not request.controls:
        raise InvalidRequest("base", f"Picture {job_id} was made without a control; attach a picture instead.")
    return request


def drawn_as(request: ImageRequest, earlier: ImageRequest) -> ImageRequest:
    """`request`, drawn as the earlier one was in all that the commands which begin with an image have no option for."""
    if request.model != earlier.model:
        return request
    return replace(
        request,
        scheduler=earlier.scheduler,
        spacing=earlier.spacing,
        guidance_rescale=earlier.guidance_rescale,
        guidance_window=earlier.guidance_window,
        pag_scale=earlier.pag_scale,
        freeu=earlier.freeu,
        vae=earlier.vae,
        clip_skip=earlier.clip_skip,
    )


async def _is_shown(job: Job, caller: Caller, context: AppContext) -> bool:
    """Whether it is the caller's, or an image of it is not withheld where the caller is."""
    return job.member_id == caller.member.id or bool((await shown_images(job, caller.reply, context)).images)
