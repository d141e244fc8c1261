"""What a model is, read without torch from its configs and safetensors headers."""

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pipeline.errors import InvalidRequest, UserError
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.models.config_check import check_configs
from pipeline.models.distillations import plain
from pipeline.models.file_family import check_precision, file_family
from pipeline.models.file_marks import check_marks, marked_sampler
from pipeline.models.model_files import MODEL_INDEX, component_files, read_json
from pipeline.models.model_sampling import folder_sampling, named_sampling
from pipeline.models.safetensors_header import WeightsFile, fingerprint
from pipeline.requests.image_request import ImageRequest, Scheduler
from pipeline.requests.sampler_names import split_name
from pipeline.requests.sampling import Sampling
from pipeline.requests.spacing import Spacing


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What a person or a program needs to know of a model before it is loaded.

    `width` and `height` are the native size in pixels; `steps`, `guidance_scale`, `scheduler` and `spacing` are what a
    request that names none should use; `upscale_strength` is how much a second pass changes of an enlarged image, 0 to
    1, without losing what it shows; `max_pixels` bounds width times height; `hash` tells models apart (see
    `fingerprint`); `parameters` is the number of weights of all parts; `file` is the one file of a checkpoint, None for
    a folder.
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
    parameters: int
    upscale_strength: float = 0.35
    file: Path | None = None
    spacing: Spacing = Spacing.NORMAL

    @property
    def sampling(self) -> Sampling:
        """How it is sampled where nothing else is said."""
        return Sampling(
            steps=self.steps, guidance_scale=self.guidance_scale, scheduler=self.scheduler, spacing=self.spacing
        )

    def check(self, request: ImageRequest) -> None:
        """Check that a request's size is one that the model can draw.

        Args:
            request: what is asked for.

        Raises:
            InvalidRequest: width times height is above `max_pixels`.
        """
        if request.width * request.height > self.max_pixels:
            raise InvalidRequest(
                "size",
                f"{request.width}×{request.height} is too large for {self.name}; "
                f"use up to {self.max_pixels:,} pixels, such as {2 * self.width}×{2 * self.height}.",
            )


# Twice the native side: beyond it these models repeat their subject.
_MAX_NATIVE_AREAS: Final = 4
_BY_PIPELINE: Final = {
    pipeline: family for family, own in FAMILIES.items() for pipeline in (own.pipeline, *own.other_pipelines)
}
_RESOLUTION: Final = re.compile(r"(\d{2,4})x(\d{2,4})", re.ASCII)
_OFFICIAL_TURBO: Final = re.compile(r"sd[ -]?xl[ -]turbo[ -]\d", re.ASCII)
"""Its one file says nothing of its sizes."""

_TURBO_SIDE: Final = 512


def read_facts(name: str, path: Path) -> ModelFacts:
    """What a model is, from its configs and headers; no weight is read.

    Args:
        name: what people call it.
        path: a diffusers folder, or one checkpoint file.

    Returns:
        The facts; a folder's own `limner.json` overrides the family's defaults.

    Raises:
        UserError: the model is damaged, incomplete, or of a family that is not served.
    """
    return _folder_facts(name, path) if path.is_dir() else _checkpoint_facts(name, path)


def _folder_facts(name: str, path: Path) -> ModelFacts:
    family = folder_family(name, path)
    parts = ("unet", "vae", *FAMILIES[family].text_encoders)
    files = [file for part in parts for file in component_files(path / part)]
    facts = _facts(name, family, files, _folder_sampling(name, path, family), side=_native_side(path, family))
    return _with_own_defaults(facts, path / "limner.json")


def _folder_sampling(name: str, path: Path, family: ModelFamily) -> Sampling:
    scheduler = path / "scheduler" / "scheduler_config.json"
    return folder_sampling(
        name,
        family,
        index=read_json(path / MODEL_INDEX),
        scheduler=read_json(scheduler) if scheduler.exists() else {},
        unet=read_json(path / "unet" / "config.json"),
    )


def folder_family(name: str, path: Path) -> ModelFamily:
    """The family of a diffusers folder, whose configs are checked.

    Args:
        name: what people call the model.
        path: the folder, with or without weights.

    Returns:
        The family.

    Raises:
        UserError: none, or something in its configs is not done here.
    """
    pipeline = str(read_json(path / MODEL_INDEX).get("_class_name"))
    if (family := _BY_PIPELINE.get(pipeline)) is None:
        raise UserError(
            f"Model '{name}' is made for {pipeline}; Limner serves SDXL and SD 1.5, so choose one of those that draws "
            "from text."
        )
    check_configs(name, path, FAMILIES[family])
    return family


def _native_side(path: Path, family: ModelFamily) -> int:
    unet, vae = read_json(path / "unet" / "config.json"), read_json(path / "vae" / "config.json")
    latent, blocks = unet.get("sample_size"), vae.get("block_out_channels")
    if isinstance(latent, list):  # height and width; the side of a square as large as the shorter one
        latent = min(latent, default=None)
    if isinstance(latent, int) and isinstance(blocks, list):
        return int(latent * 2 ** (len(blocks) - 1))
    return FAMILIES[family].native_side


def _checkpoint_facts(name: str, path: Path) -> ModelFacts:
    file = WeightsFile.open(path)
    tensors = file.tensors
    check_precision(path.name, tensors)
    own = path.with_suffix("")
    if (own / MODEL_INDEX).exists():  # configs beside the file tell more than its widths
        own_family = folder_family(name, own)
        sampling = _folder_sampling(name, own, own_family)
        return replace(_facts(name, own_family, [path], sampling, side=_native_side(own, own_family)), file=path)
    family = file_family(path.name, tensors)
    check_marks(path.name, file.metadata)
    sampling = named_sampling(f"{name} {file.metadata.get('modelspec.title', '')}", family)
    if (own_noise := marked_sampler(tensors)) is not None:
        sampling = replace(sampling, scheduler=own_noise, spacing=Spacing.NORMAL)
    side = _stated_side(name, file) or FAMILIES[family].native_side
    return replace(_facts(name, family, [path], sampling, side=side), file=path)


def _stated_side(name: str, file: WeightsFile) -> int | None:
    """The native side that a checkpoint's metadata states, or that its name implies; None for the family's."""
    if match := _RESOLUTION.fullmatch(str(file.metadata.get("modelspec.resolution", ""))):
        return int(math.sqrt(int(match[1]) * int(match[2]))) // 64 * 64
    return _TURBO_SIDE if _OFFICIAL_TURBO.match(plain(name)) else None


def _facts(name: str, family: ModelFamily, files: list[Path], sampling: Sampling, *, side: int) -> ModelFacts:
    guidance = FAMILIES[family].guidance_scale if sampling.guidance_scale is None else sampling.guidance_scale
    return ModelFacts(
        name=name,
        family=family,
        width=side,
        height=side,
        steps=sampling.steps,
        guidance_scale=guidance,
        scheduler=sampling.scheduler,
        spacing=sampling.spacing,
        max_pixels=_MAX_NATIVE_AREAS * side * side,
        hash=fingerprint(files),
        parameters=sum(WeightsFile.open(file).numel for file in files),
    )


_OWN_DEFAULTS: Final = ("steps", "guidance_scale", "scheduler", "spacing", "upscale_strength")


def _with_own_defaults(facts: ModelFacts, path: Path) -> ModelFacts:
    """The facts with the defaults that a model states in its own `limner.json`, by their names here."""
    if not path.exists():
        return facts
    own = read_json(path)
    if unknown := next((key for key in own if key not in _OWN_DEFAULTS), None):
        raise UserError(f"{path} states '{unknown:.40}', which it cannot; it may state {', '.join(_OWN_DEFAULTS)}.")
    named = split_name(str(own.get("scheduler", facts.scheduler)))
    spacing = own.get("spacing") or (named and named[1]) or facts.spacing
    try:
        return replace(
            facts,
            steps=int(str(own.get("steps", facts.steps))),
            guidance_scale=float(str(own.get("guidance_scale", facts.guidance_scale))),
            scheduler=Scheduler.parse(str(own.get("scheduler", facts.scheduler))),
            spacing=Spacing.parse(str(spacing)),
            upscale_strength=float(str(own.get("upscale_strength", facts.upscale_strength))),
        )
    except ValueError as error:
        raise UserError(f'{path} states what is no number where one belongs; write it as in "steps": 4.') from error
