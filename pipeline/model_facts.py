"""What a model is, read without torch from its configs and safetensors headers."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pipeline.image_request import ImageRequest, Scheduler


class ModelFamily(StrEnum):
    """The architectures that the engine serves."""

    SDXL = "sdxl"
    SD15 = "sd15"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What a person or a program needs to know of a model before it is loaded.

    `width` and `height` are the native size in pixels; `steps`, `guidance_scale` and `scheduler` are what a request
    that names none should use; `max_pixels` bounds width times height; `hash` starts the weights' SHA-256.
    """

    name: str
    family: ModelFamily
    width: int
    height: int
    steps: int
    guidance_scale: float
    scheduler: Scheduler
    max_pixels: int
    hash: str

    def check(self, request: ImageRequest) -> None:
        """Raise InvalidRequest if `request` asks for more than this model can do."""
        raise NotImplementedError


def read_facts(name: str, path: Path) -> ModelFacts:
    """The facts of the model at `path`, a diffusers folder or one checkpoint; raises UserError in one sentence."""
    raise NotImplementedError
