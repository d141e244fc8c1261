"""What a member can say of an image: the options of /imagine, and those that other commands take over from it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from handlers.commands.attachments import OfferedFile
from handlers.commands.option import Completion, Details
from handlers.commands.options import Options, OptionValue
from handlers.prompts.syntax import mentions_text
from pipeline.models.metadata import ModelFacts
from pipeline.models.vaes import OWN
from pipeline.requests.aspect_ratio import ASPECTS, Aspect, size_for
from pipeline.requests.decimal_text import decimal_text
from pipeline.requests.image_request import (
    MAX_CLIP_SKIP,
    MAX_COUNT,
    MAX_GUIDANCE_SCALE,
    MAX_PAG_SCALE,
    MAX_SEED,
    MAX_SIZE,
    MAX_STEPS,
    MIN_SIZE,
    ImageRequest,
    Scheduler,
)
from pipeline.requests.sampler_names import spacing_of, split_name
from pipeline.requests.spacing import Spacing

Negative = Annotated[str | None, Details("What it must not show", flag="no")]
Count = Annotated[int | None, Details("How many pictures", flag="n", low=1, high=MAX_COUNT)]
Seed = Annotated[int | None, Details("Same seed, same picture", low=0, high=MAX_SEED)]
Steps = Annotated[int | None, Details("Denoising steps", low=1, high=MAX_STEPS)]
LoraNames = Annotated[str | None, Details("LoRAs, such as crayon:0.8", completion=Completion.LORAS, repeats=True)]
Guidance = Annotated[float | None, Details("How closely to the prompt", low=0, high=MAX_GUIDANCE_SCALE)]
ModelName = Annotated[str | None, Details("Which model draws it", completion=Completion.MODELS, advanced=True)]
Private = Annotated[bool | None, Details("For your eyes only")]
_Pixels = Annotated[int | None, Details("In pixels", low=MIN_SIZE, high=MAX_SIZE, advanced=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagineOptions(Options):
    """The options of /imagine."""

    prompt: Annotated[str, Details("What the picture shows", rest=True)]
    negative: Negative = None
    aspect: Annotated[Aspect | None, Details("Width to height", flag="ar")] = None
    count: Count = None
    seed: Seed = None
    steps: Steps = None
    lora: LoraNames = None
    guidance: Guidance = None
    scheduler: Annotated[Scheduler | None, Details("The sampler")] = None
    spacing: Annotated[Spacing | None, Details("How the steps are spaced")] = None
    guidance_rescale: Annotated[
        float | None, Details("Tames burnt colours at high guidance", low=0, high=1, advanced=True)
    ] = None
    width: _Pixels = None
    height: _Pixels = None
    model: ModelName = None
    variation: Annotated[str | None, Details("Steps towards other seeds, as seed:strength", advanced=True)] = None
    guidance_window: Annotated[
        str | None, Details("The steps in which guidance counts, such as 0.2-0.8", advanced=True)
    ] = None
    pag: Annotated[
        float | None,
        Details("Perturbed attention, such as 3: clearer shapes", low=0, high=MAX_PAG_SCALE, advanced=True),
    ] = None
    freeu: Annotated[
        str | None, Details("FreeU: on, or factors such as b1=1.3 b2=1.4 s1=0.9 s2=0.2", advanced=True)
    ] = None
    vae: Annotated[
        str | None, Details("Another decoder than the model's own", completion=Completion.VAES, advanced=True)
    ] = None
    clip_skip: Annotated[
        int | None, Details("Text layer, from the last, as A1111 counts", low=1, high=MAX_CLIP_SKIP, advanced=True)
    ] = None
    base: Annotated[int | None, Details("Keep what this job of yours began with", advanced=True)] = None
    triggers: Annotated[bool | None, Details("Off: leave LoRAs' trigger words out", advanced=True)] = None
    all: Annotated[bool | None, Details("Make all of {a|b} unasked", advanced=True)] = None
    private: Private = None

    @classmethod
    def spelled_out(cls, raw: Mapping[str, OptionValue | OfferedFile]) -> Mapping[str, OptionValue | OfferedFile]:
        """Samplers and spacings by the names that other programs have for them, both in one where they stand so.

        A form brings its `normal` along, so that one yields to a spacing in the sampler's name.
        """
        named = split_name(str(raw.get("scheduler", "")))
        spacing = spacing_of(str(raw.get("spacing", "")))
        told: dict[str, OptionValue | OfferedFile] = {}
        if named is not None:
            told["scheduler"] = named[0]
        behind = named and named[1]
        if behind and (not raw.get("spacing") or spacing == Spacing.NORMAL):
            told["spacing"] = behind
        elif spacing:
            told["spacing"] = spacing
        return {**raw, **told}


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawingOptions(Options):
    """How an image is drawn, for the commands that begin with one."""

    seed: Seed = None
    steps: Steps = None
    lora: LoraNames = None
    guidance: Guidance = None
    model: ModelName = None


def request_options(request: ImageRequest, default_vae: str | None = None) -> ImagineOptions:
    """The options that ask for exactly `request` again, where the guild has a VAE for who names none."""
    return ImagineOptions(
        prompt=request.prompt,
        negative=request.negative_prompt,
        width=request.width,
        height=request.height,
        count=request.count,
        seed=request.seed,
        steps=request.steps,
        guidance=request.guidance_scale,
        guidance_rescale=request.guidance_rescale,
        guidance_window=None if request.guidance_window is None else request.guidance_window.span,
        pag=request.pag_scale or None,
        freeu=None if request.freeu is None else str(request.freeu),
        vae=request.vae or (default_vae and OWN),
        clip_skip=None if request.clip_skip == 1 else request.clip_skip,
        scheduler=request.scheduler,
        spacing=request.spacing,
        model=request.model,
        lora=mentions_text(request.loras),
        variation=" ".join(f"{step.seed}:{decimal_text(step.strength)}" for step in request.variations),
    )


def editable_options(request: ImageRequest, facts: ModelFacts, default_vae: str | None = None) -> ImagineOptions:
    """As `request_options`, with the size as an aspect where it is one, so that changing it changes the image."""
    options = request_options(request, default_vae)
    for aspect in ASPECTS:
        if size_for(aspect, facts.width) == (request.width, request.height):
            return replace(options, width=None, height=None, aspect=aspect)
    return options
