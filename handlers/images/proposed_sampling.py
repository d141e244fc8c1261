"""What a request's LoRAs propose: one that distils a model wants few steps."""

from dataclasses import replace

from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.images.options import ImagineOptions
from pipeline.requests.image_request import ImageRequest
from pipeline.requests.sampling import Sampling
from storage.library.loras import Lora


async def as_proposed(
    request: ImageRequest, options: ImagineOptions, caller: Caller, context: AppContext
) -> ImageRequest:
    """The request sampled as its LoRAs want, as far as the guild allows it, but for what the member said."""
    if (found := await _proposal(request, caller, context)) is None:
        return request
    _, wanted = found
    settings = caller.guild.settings
    allowed = settings.allows(wanted.scheduler)
    guidance = request.guidance_scale
    if options.guidance is None and wanted.guidance_scale is not None:
        guidance = min(wanted.guidance_scale, settings.max_guidance)
    return replace(
        request,
        steps=min(wanted.steps, settings.max_steps) if options.steps is None else options.steps,
        guidance_scale=guidance,
        scheduler=options.scheduler or (wanted.scheduler if allowed else request.scheduler),
        spacing=options.spacing or (wanted.spacing if allowed else request.spacing),
    )


async def proposal_words(request: ImageRequest, caller: Caller, context: AppContext) -> tuple[str, ...]:
    """What is said of the request's proposal: whether it is taken, and what differs; nothing where there is none."""
    if (found := await _proposal(request, caller, context)) is None:
        return ()
    lora, wanted = found
    if wanted.is_in(request):
        return (f"As LoRA '{lora.name}' wants: {wanted}.",)
    own = Sampling(
        steps=request.steps,
        guidance_scale=request.guidance_scale,
        scheduler=request.scheduler,
        spacing=request.spacing,
    )
    return (f"LoRA '{lora.name}' wants {wanted}; this has {own}.",)


async def _proposal(request: ImageRequest, caller: Caller, context: AppContext) -> tuple[Lora, Sampling] | None:
    """Of the LoRAs that are used, and not taken away, the one that wants fewest steps."""
    found = [
        (lora, lora.sampling)
        for use in request.loras
        if use.scale > 0
        if (lora := await context.loras.with_key(caller.guild.id, use.key)) is not None
        if lora.sampling is not None
    ]
    return min(found, key=lambda each: each[1].steps, default=None)
