"""How a request for images becomes a queued job, once its guild's limits and its model allow it."""

from dataclasses import replace

from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.commands.permissions import check_permission
from handlers.images.proposed_sampling import proposal_words
from handlers.jobs.job_spec import Cost
from handlers.messages.message import Message
from handlers.prompts.loras import check_scales
from pipeline.errors import InvalidRequest
from pipeline.models.metadata import ModelFacts
from pipeline.requests.image_request import ImageRequest
from pipeline.text.prompt_length import check_lengths
from storage.queue.jobs import JobKind


async def submit(
    caller: Caller, context: AppContext, request: ImageRequest, facts: ModelFacts, kind: JobKind = JobKind.IMAGINE
) -> Message:
    """Queue `request`, for the model of `facts`, as a job of `kind`; from here on nothing of it can be lost."""
    check_allowed(request, facts, caller)
    words = await proposal_words(request, caller, context)
    message = await context.jobs.enqueue(kind, request, caller, context)
    return replace(message, lines=(*message.lines, *words))


def check_allowed(request: ImageRequest, facts: ModelFacts, caller: Caller) -> None:
    """Hold the request to the guild's own limits and to the model's, its caller to the roles that its controls need.

    Raises InvalidRequest naming the limit, and NotAllowed.
    """
    settings = caller.guild.settings
    for use in request.controls:
        check_permission(caller, f"control {use.kind}")
    for field, value, most in (
        ("steps", request.steps, settings.max_steps),
        ("count", request.count, settings.max_count),
        ("guidance", request.guidance_scale, settings.max_guidance),
    ):
        if value > most:
            sentence = f"{field} is {value:g}; this server allows up to {most:g}, so write {field} {most:g} or less."
            raise InvalidRequest(field, sentence)
    if not settings.allows(request.scheduler):
        names = ", ".join(settings.samplers)
        raise InvalidRequest(
            "scheduler", f"This server does not allow the sampler {request.scheduler}; choose one of: {names}."
        )
    if request.width * request.height > settings.max_pixels:
        side = int(settings.max_pixels**0.5)
        raise InvalidRequest(
            "size", f"{request.width}x{request.height} is larger than this server allows; stay within {side}x{side}."
        )
    check_scales(request.loras, facts.family, settings)
    facts.check(request)
    check_lengths(request)


async def request_cost(request: ImageRequest, context: AppContext, times: int = 1) -> Cost:
    """What `times` as many images of a request cost."""
    controls = "".join(f" +{use.kind}" for use in request.controls)
    return Cost(
        key=f"{request.model} {request.width}x{request.height}{controls}",
        units=float(request.row_steps * times),
        seconds_per_unit=await context.costs.row_seconds(request.model, request.width * request.height),
    )
