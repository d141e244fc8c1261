"""What the buttons under an image do: make it again, vary it, enlarge it, edit it, keep it."""

from dataclasses import replace
from typing import Final

from handlers.commands.actions import Action
from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.commands.form import Form
from handlers.commands.forms import edit_form
from handlers.commands.permissions import NotAllowed, check_permission
from handlers.images.hires_fix import upscaled
from handlers.images.imagine import COMMAND as IMAGINE
from handlers.images.info import job_info
from handlers.images.options import editable_options
from handlers.images.reuse_control import same_control_form
from handlers.images.submission import request_cost, submit
from handlers.jobs.job_spec import JobSpec, without_context
from handlers.jobs.payloads import REQUEST
from handlers.messages.job_status import done, repeat_buttons
from handlers.messages.message import Message, ShownImage, Verb
from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import MAX_VARIATIONS, ImageRequest, Variation
from storage.queue.jobs import Job, JobKind

SUBTLE: Final = 0.15
STRONG: Final = 0.45
"""How far the two kinds of variation go from an image's own noise."""


async def _usable_request(job: Job, caller: Caller, context: AppContext) -> ImageRequest:
    """What the job asked for; raises NotAllowed where it used a LoRA that is another member's alone."""
    request = REQUEST.read(job.payload)
    for key in request.lora_keys:
        lora = await context.loras.with_key(caller.guild.id, key)
        if lora is not None and lora.private and lora.owner_id != caller.member.id:
            raise NotAllowed("This was made with a LoRA that is its owner's alone; edit the words to leave it out.")
    return request


async def _again(job: Job, _index: int, caller: Caller, context: AppContext) -> Message:
    check_permission(caller, IMAGINE.name)
    request = await _usable_request(job, caller, context)
    again = replace(request, seed=context.new_seed(), variations=())
    return await submit(caller, context, again, context.model(request.model))


async def _vary_subtly(job: Job, index: int, caller: Caller, context: AppContext) -> Message:
    return await _vary(job, index, SUBTLE, caller, context)


async def _vary_strongly(job: Job, index: int, caller: Caller, context: AppContext) -> Message:
    return await _vary(job, index, STRONG, caller, context)


async def _edit(job: Job, _index: int, caller: Caller, context: AppContext) -> Form:
    request = REQUEST.read(job.payload)
    options = editable_options(request, context.model(request.model), caller.guild.settings.default_vae)
    if request.image_keys and job.member_id == caller.member.id:
        options = replace(options, base=job.id)
    return await edit_form(IMAGINE, options.given(), caller, context, kept={"base"})


async def _info(job: Job, _index: int, caller: Caller, context: AppContext) -> Message:
    return await job_info(job, caller, context)


async def _vary(job: Job, index: int, strength: float, caller: Caller, context: AppContext) -> Message:
    check_permission(caller, IMAGINE.name)
    request = await _usable_request(job, caller, context)
    if index >= request.count:
        raise InvalidRequest("index", "There is no such picture in this message; use one of its own buttons.")
    if len(request.variations) >= MAX_VARIATIONS:
        raise InvalidRequest("variations", f"This picture was varied {MAX_VARIATIONS} times; vary an earlier one.")
    image = request.images()[index]
    further = Variation(seed=context.new_seed(), strength=strength)
    varied = replace(image, variations=(*image.variations, further), count=request.count)
    return await submit(caller, context, varied, context.model(request.model))


async def _upscale(job: Job, index: int, caller: Caller, context: AppContext) -> Message:
    check_permission(caller, IMAGINE.name)
    images = await context.queue.images(caller.guild.id, job.id)
    image = next((image for image in images if image.index == index), None)
    if image is None:
        raise InvalidRequest("index", "There is no such picture in this message; use one of its own buttons.")
    request = (await _usable_request(job, caller, context)).images()[index]
    facts = context.model(request.model)
    return await submit(caller, context, upscaled(request, image, facts), facts)


def _made(job: Job, images: tuple[ShownImage, ...]) -> Message:
    return done(job, REQUEST.read(job.payload), images)


_ACTIONS: Final[dict[Verb, Action]] = {
    Verb.AGAIN: _again,
    Verb.VARY_SUBTLE: _vary_subtly,
    Verb.VARY_STRONG: _vary_strongly,
    Verb.UPSCALE: _upscale,
    Verb.EDIT: _edit,
    Verb.INFO: _info,
    Verb.SAME_CONTROL: same_control_form,
}

JOB: Final = JobSpec(
    kind=JobKind.IMAGINE,
    payload=REQUEST,
    title=lambda request: request.prompt,
    cost=request_cost,
    blobs=lambda request: request.image_keys,
    loras=lambda request: request.lora_keys,
    done=without_context(_made),
    failed="The picture could not be made; try again.",
    buttons=lambda job: (repeat_buttons(job),),
    actions=_ACTIONS,
)
