"""What a member asks for: the prompt and every parameter that decides the image."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from pipeline.errors import InvalidRequest, check_range
from pipeline.requests.control import ControlUse
from pipeline.requests.decimal_text import decimal_text
from pipeline.requests.freeu import FreeU
from pipeline.requests.sampler_names import SAMPLER_NAMES, split_name
from pipeline.requests.spacing import Spacing
from pipeline.requests.start_image import StartImage
from pipeline.requests.step_window import StepWindow

MAX_PROMPT_LENGTH: Final = 2000
MAX_STEPS: Final = 150
MAX_COUNT: Final = 4
MIN_SIZE: Final = 64
MAX_SIZE: Final = 4096
MAX_GUIDANCE_SCALE: Final = 30.0
MAX_PAG_SCALE: Final = 15.0
MAX_CLIP_SKIP: Final = 12
MAX_SEED: Final = 2**32 - 1
MAX_LORAS: Final = 8
MAX_LORA_SCALE: Final = 10.0
USUAL_LORA_SCALE: Final = 2.0
"""What is enough for most; sliders are made for more."""

MAX_BLOCKS_LENGTH: Final = 200
MAX_BUCKET: Final = 64
MAX_LORA_PAGES: Final = 128
MAX_VARIATIONS: Final = 8
MAX_CONTROLS: Final = 4


class Scheduler(StrEnum):
    """The samplers that a request may choose; the value is what a member types."""

    EULER = "euler"
    EULER_A = "euler-a"
    DPMPP_2M = "dpm++2m"
    DDIM = "ddim"
    HEUN = "heun"
    LCM = "lcm"
    UNIPC = "unipc"
    DPMPP_SDE = "dpm++sde"
    DPMPP_2M_SDE = "dpm++2m-sde"
    DPMPP_3M_SDE = "dpm++3m-sde"
    DPMPP_2S_A = "dpm++2s-a"
    TCD = "tcd"
    DEIS = "deis"
    PNDM = "pndm"

    @property
    def label(self) -> str:
        """As AUTOMATIC1111 writes it behind `Sampler`."""
        return SAMPLER_NAMES[self][0]

    @classmethod
    def parse(cls, text: str) -> "Scheduler":
        """The scheduler of a name.

        Args:
            text: a value, or AUTOMATIC1111's, ComfyUI's or diffusers' name, in any case; a spacing at its end is left
                to `split_name`.

        Returns:
            The scheduler.

        Raises:
            InvalidRequest: there is none of that name; the sentence lists those that exist.
        """
        if (found := split_name(text)) is not None:
            return cls(found[0])
        names = ", ".join(scheduler.value for scheduler in cls)
        raise InvalidRequest("scheduler", f"scheduler '{text:.60}' is unknown; choose one of: {names}.")

    def calls(self, steps: int) -> int:
        """How often it calls the denoiser.

        Args:
            steps: of the walk, from 1.

        Returns:
            The steps; for some kinds twice as many but for the last, for PLMS one more.
        """
        match self:
            case Scheduler.HEUN | Scheduler.DPMPP_SDE | Scheduler.DPMPP_2S_A:
                return 2 * steps - 1
            case Scheduler.PNDM:
                return steps + min(steps - 1, 1)
            case _:
                return steps


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraUse:
    """One LoRA in a request: `key` finds its canonical file, `name` is what the guild calls it, and `hash` what
    AUTOMATIC1111 knows the file by from which it was imported, where that is known.

    `blocks` weight the blocks of the base, as `pipeline.families.lora_blocks` reads them; outside of the `window` of
    steps the UNet runs without it. None is all of it, in all steps.
    """

    key: str
    name: str
    scale: float = 1.0
    text_encoder_scale: float | None = None
    blocks: str | None = None
    window: StepWindow | None = None
    hash: str = ""

    def __post_init__(self) -> None:
        for scale in (self.scale, self.effective_text_encoder_scale):
            if not (math.isfinite(scale) and abs(scale) <= MAX_LORA_SCALE):
                raise InvalidRequest(
                    "lora",
                    f"LoRA scale of '{self.name}' is {scale:g}; use {-MAX_LORA_SCALE:g} to {MAX_LORA_SCALE:g}.",
                )
        if self.blocks is not None and len(self.blocks) > MAX_BLOCKS_LENGTH:
            raise InvalidRequest("lora", f"The block weights of LoRA '{self.name}' are too long; write fewer digits.")

    @property
    def tag(self) -> str:
        """The tag that asks for it, as other programs read it: the text encoders' scale before the UNet's."""
        scales = [self.scale] if self.text_encoder_scale is None else [self.text_encoder_scale, self.scale]
        parts = [self.name, *map(decimal_text, scales)]
        if self.blocks is not None:
            parts.append(self.blocks if "=" in self.blocks else f"lbw={self.blocks}")
        if self.window is not None:
            parts.append(str(self.window))
        return f"<lora:{':'.join(parts)}>"

    @property
    def effective_text_encoder_scale(self) -> float:
        """The scale for the text encoders: its own where given, else the UNet's."""
        return self.scale if self.text_encoder_scale is None else self.text_encoder_scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """A step from an image's initial noise towards that of another seed: `strength` 0 stays, 1 arrives."""

    seed: int
    strength: float

    def __post_init__(self) -> None:
        check_range("variation seed", self.seed, 0, MAX_SEED)
        check_range("variation strength", self.strength, 0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """An image (or `count` of them, with seeds counting up) and all that decides it.

    `width` and `height` are in pixels, multiples of 8; `guidance_scale` up to 1 switches guidance off, and it is off
    outside of the steps of `guidance_window`; `guidance_rescale` is phi of Lin et al., 2023 (arXiv 2305.08891), 0 to
    1; `pag_scale` is that of perturbed-attention guidance (Ahn et al., 2024, arXiv 2403.17377), 0 for none, and
    `freeu` FreeU's factors; `clip_skip` is the layer of the text encoders that is read, counted from the last as
    AUTOMATIC1111 does, but never a later one than the model's own; `vae` is another than the model's own, by its
    name; `model` is a name that `pipeline.models.source` can resolve; `bucket` asks for a batch padded to that many
    rows, which repeats an image bit for bit (None leaves it to the device), with so many `lora_pages`, with
    `own_weights` for LoRAs or not and, where the device can, `compiled` or not; `variations` bend the initial noise,
    one after the other; `start` is an image to begin with, `controls` what to keep of others.
    Raises InvalidRequest, naming the field and its limit.
    """

    prompt: str
    negative_prompt: str = ""
    width: int
    height: int
    steps: int
    guidance_scale: float
    guidance_rescale: float = 0.0
    guidance_window: StepWindow | None = None
    pag_scale: float = 0.0
    freeu: FreeU | None = None
    clip_skip: int = 1
    vae: str | None = None
    scheduler: Scheduler = Scheduler.EULER
    spacing: Spacing = Spacing.NORMAL
    seed: int
    count: int = 1
    model: str
    loras: tuple[LoraUse, ...] = ()
    variations: tuple[Variation, ...] = ()
    start: StartImage | None = None
    controls: tuple[ControlUse, ...] = ()
    bucket: int | None = None
    lora_pages: int = 0
    own_weights: bool = False
    compiled: bool = False

    def __post_init__(self) -> None:
        self._check_text()
        self._check_size()
        check_range("steps", self.steps, 1, MAX_STEPS)
        check_range("count", self.count, 1, MAX_COUNT)
        check_range("guidance", self.guidance_scale, 0, MAX_GUIDANCE_SCALE)
        check_range("guidance rescale", self.guidance_rescale, 0, 1)
        check_range("pag", self.pag_scale, 0, MAX_PAG_SCALE)
        check_range("clip skip", self.clip_skip, 1, MAX_CLIP_SKIP)
        check_range("seed", self.seed, 0, MAX_SEED)
        check_range("bucket", 1 if self.bucket is None else self.bucket, 1, MAX_BUCKET)
        check_range("LoRA pages", self.lora_pages, 0, MAX_LORA_PAGES)
        check_range("number of LoRAs", len(self.loras), 0, MAX_LORAS)
        check_range("number of variations", len(self.variations), 0, MAX_VARIATIONS)
        check_range("number of controls", len(self.controls), 0, MAX_CONTROLS)
        if self.steps_made == 0:
            # Upwards, or what is advised would be too low as well.
            enough = math.ceil(100 / self.steps) / 100
            raise InvalidRequest("strength", f"strength is too low for {self.steps} steps; use {enough:g} or more.")

    def _check_text(self) -> None:
        if not self.prompt.strip():
            raise InvalidRequest("prompt", "The prompt is empty; say what the picture should show.")
        for field, text in (("prompt", self.prompt), ("negative prompt", self.negative_prompt)):
            if len(text) > MAX_PROMPT_LENGTH:
                raise InvalidRequest(
                    field, f"The {field} has {len(text)} characters; the limit is {MAX_PROMPT_LENGTH}."
                )

    def _check_size(self) -> None:
        for field, size in (("width", self.width), ("height", self.height)):
            check_range(field, size, MIN_SIZE, MAX_SIZE)
            if size % 8:
                below = size - size % 8
                raise InvalidRequest(field, f"{field} {size} is not a multiple of 8; use {below} or {below + 8}.")

    @property
    def guided(self) -> bool:
        """Whether the request pays for a second, unconditional row (classifier-free guidance)."""
        return self.guidance_scale > 1 and len(self._guided_steps) > 0

    @property
    def perturbed(self) -> bool:
        """Whether the request pays for a row of perturbed attention, its last one."""
        return self.pag_scale > 0

    @property
    def rows(self) -> int:
        """The rows of one image in a call of the denoiser: unconditional, conditional, perturbed."""
        return 1 + self.guided + self.perturbed

    def guidance_at(self, step: int) -> float:
        """How strong the guidance is in one step.

        Args:
            step: from 0, of those that are made.

        Returns:
            1 where it is off.
        """
        return self.guidance_scale if self.guided and step in self._guided_steps else 1.0

    @property
    def _guided_steps(self) -> range:
        window = self.guidance_window or StepWindow()
        return window.steps(self.steps_made)

    @property
    def steps_made(self) -> int:
        """How many of `steps` are made: those that a start image's strength leaves, rounded down as diffusers does."""
        return self.steps if self.start is None else int(self.steps * self.start.strength)

    @property
    def lora_keys(self) -> tuple[str, ...]:
        """The keys of the LoRAs that the request uses."""
        return tuple(use.key for use in self.loras)

    @property
    def image_keys(self) -> tuple[str, ...]:
        """The keys of all the images that the request is made from."""
        own = () if self.start is None else self.start.image_keys
        return (*own, *(control.image for control in self.controls))

    @property
    def row_steps(self) -> int:
        """The denoiser's work for all images, in rows of its calls."""
        return self.scheduler.calls(self.steps_made) * self.count * self.rows

    def images(self) -> tuple["ImageRequest", ...]:
        """One request an image.

        Without variations it is `seed` that counts up; with them it is the last variation's, and `seed` stays.

        Returns:
            `count` requests with the same parameters and count 1; after MAX_SEED a seed goes on from 0.
        """
        return tuple(self._image(index) for index in range(self.count))

    def _image(self, index: int) -> "ImageRequest":
        if not self.variations:
            return replace(self, count=1, seed=_counted(self.seed, index))
        *earlier, last = self.variations
        last = replace(last, seed=_counted(last.seed, index))
        return replace(self, count=1, variations=(*earlier, last))


def smaller_sizes(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Sizes of about the same proportions, in steps that every model draws well.

    Args:
        width: in pixels.
        height: in pixels.

    Returns:
        Widths and heights, ever smaller, multiples of MIN_SIZE; the size itself is not among them.
    """
    sizes = ((_step_down(width, eighths), _step_down(height, eighths)) for eighths in range(7, 0, -1))
    return (size for size in dict.fromkeys(sizes) if size != (width, height))


def _step_down(side: int, eighths: int) -> int:
    return max(MIN_SIZE, side * eighths // 8 // MIN_SIZE * MIN_SIZE)


def _counted(seed: int, index: int) -> int:
    return (seed + index) % (MAX_SEED + 1)
