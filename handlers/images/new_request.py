"""From the options of a command to the requests that they ask for."""

import asyncio
import re
from dataclasses import replace

from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.images.options import DrawingOptions, ImagineOptions
from handlers.images.proposed_sampling import as_proposed
from handlers.jobs.payloads import REQUEST
from handlers.prompts.loras import for_each_prompt
from handlers.prompts.syntax import expand
from pipeline.errors import InvalidRequest
from pipeline.families.freeu import USUAL_FREEU
from pipeline.models.metadata import ModelFacts
from pipeline.models.vaes import OWN
from pipeline.requests.aspect_ratio import size_for, size_like
from pipeline.requests.freeu import FreeU
from pipeline.requests.image_request import ImageRequest, Variation
from pipeline.requests.step_window import StepWindow
from storage.guilds.guilds import GuildSettings
from storage.queue.jobs import JobKind


async def new_requests(
    options: ImagineOptions, facts: ModelFacts, caller: Caller, context: AppContext
) -> list[ImageRequest]:
    """A request for each prompt that the one in `options` stands for; raises InvalidRequest."""
    usual = allowed_defaults(facts, caller.guild.settings)
    made = _request(options, usual, context.new_seed(), caller.guild.settings.max_pixels)
    request = await _based(made, options.base, caller, context)
    request = replace(request, vae=await asyncio.to_thread(_vae, options.vae, facts, caller, context))
    requests = await for_each_prompt(
        request, options.lora or "", facts.family, caller, context, triggers=options.triggers is not False
    )
    return [await as_proposed(each, options, caller, context) for each in requests]


def allowed_defaults(facts: ModelFacts, settings: GuildSettings) -> ModelFacts:
    """The model with what a request that names nothing has, as far as the guild allows it."""
    return replace(
        facts,
        steps=min(facts.steps, settings.max_steps),
        guidance_scale=min(facts.guidance_scale, settings.max_guidance),
        scheduler=facts.scheduler if settings.allows(facts.scheduler) else settings.samplers[0],
    )


async def one_request(
    drawing: DrawingOptions, caller: Caller, context: AppContext,
    *, prompt: str | None, negative: str | None = None, count: int | None = None,
) -> tuple[ImageRequest, ModelFacts]:  # fmt: skip
    """What a command that begins with an image asks for, and of which model; raises InvalidRequest."""
    facts = context.model(drawing.model or caller.guild.settings.default_model)
    options = ImagineOptions(
        prompt=prompt or "",
        negative=negative,
        count=count,
        seed=drawing.seed,
        steps=drawing.steps,
        lora=drawing.lora,
        guidance=drawing.guidance,
    )
    if len(expand(options.prompt)) > 1:
        raise InvalidRequest("prompt", "{a|b} stands for several prompts; over a picture, give one at a time.")
    (request,) = await new_requests(options, facts, caller, context)
    return request, facts


async def _based(request: ImageRequest, base: int | None, caller: Caller, context: AppContext) -> ImageRequest:
    """The request with the start image and the controls of an earlier one of the caller's, if it names one."""
    if base is None:
        return request
    job = await context.queue.get(caller.guild.id, base)
    if job is None or job.member_id != caller.member.id or job.kind != JobKind.IMAGINE:
        raise InvalidRequest("base", f"You have no job {base} here; /history shows those that you have.")
    earlier = REQUEST.read(job.payload)
    return replace(request, start=earlier.start, controls=earlier.controls)


def _vae(named: str | None, facts: ModelFacts, caller: Caller, context: AppContext) -> str | None:
    """The VAE that the member or the guild wants, None for the model's own; raises InvalidRequest for one unknown."""
    if named == OWN:
        return None
    if named:
        context.vaes.file(named, facts.family, facts.name)
        return named
    usual = caller.guild.settings.default_vae
    return usual if usual in context.vaes.names(facts.family) else None


def _request(options: ImagineOptions, facts: ModelFacts, new_seed: int, most_pixels: int) -> ImageRequest:
    window = options.guidance_window
    width, height = size_for(options.aspect or "1:1", facts.width)
    if width * height > most_pixels:
        width, height = size_like(width, height, facts.width, most_pixels)
    return ImageRequest(
        prompt=options.prompt.strip(),
        negative_prompt=(options.negative or "").strip(),
        width=options.width or width,
        height=options.height or height,
        steps=facts.steps if options.steps is None else options.steps,
        guidance_scale=facts.guidance_scale if options.guidance is None else options.guidance,
        guidance_rescale=options.guidance_rescale or 0.0,
        guidance_window=None if window is None else StepWindow.parse(window, "guidance-window"),
        pag_scale=options.pag or 0.0,
        freeu=FreeU.parse(options.freeu, FreeU(**USUAL_FREEU[facts.family])) if options.freeu else None,
        clip_skip=options.clip_skip or 1,
        scheduler=options.scheduler or facts.scheduler,
        spacing=options.spacing or facts.spacing,
        seed=new_seed if options.seed is None else options.seed,
        count=options.count or 1,
        model=facts.name,
        variations=read_variations(options.variation or ""),
    )


def read_variations(text: str) -> tuple[Variation, ...]:
    """The steps in "12:0.15 7:0.4": a seed and how far to go towards it, one after the other; raises InvalidRequest."""
    words = text.replace(",", " ").split()
    matches = [re.fullmatch(r"(\d{1,12}):(\d{1,3}(?:\.\d{1,10})?|\.\d{1,10})", word) for word in words]
    if not all(matches):
        raise InvalidRequest("variation", f"variation '{text:.60}' is unclear; write seed:strength, such as 12:0.15.")
    return tuple(Variation(seed=int(match[1]), strength=float(match[2])) for match in matches if match)
