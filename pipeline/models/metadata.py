"""What a model is, read without torch from its configs and safetensors headers."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pipeline.errors import InvalidRequest, UserError
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.models.safetensors_header import WeightsFile, fingerprint
from pipeline.requests.image_request import ImageRequest, Scheduler


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What a person or a program needs to know of a model before it is loaded.

    `width` and `height` are the native size in pixels; `steps`, `guidance_scale` and `scheduler` are what a request
    that names none should use; `upscale_strength` is how much a second pass changes of an enlarged image, 0 to 1,
    without losing what it shows; `max_pixels` bounds width times height; `hash` tells models apart (see `fingerprint`);
    `parameters` is the number of weights of all parts.
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
_BY_PIPELINE: Final = {description.pipeline: family for family, description in FAMILIES.items()}
_BY_WIDTH: Final = {description.cross_attention_width: family for family, description in FAMILIES.items()}
_STEPS: Final = 30
MODEL_INDEX: Final = "model_index.json"


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


def component_files(folder: Path) -> list[Path]:
    """The safetensors files of one component.

    Args:
        folder: the component's own, such as `unet`.

    Returns:
        All shards, by name; those in half precision only where there are no others.

    Raises:
        UserError: there are none.
    """
    files = sorted(folder.glob("*.safetensors"))
    full = [file for file in files if ".fp16" not in file.name]
    if not files:
        raise UserError(f"{folder} holds no safetensors weights; pull the model again or convert its pickles.")
    return full or files


def read_json(path: Path) -> dict[str, object]:
    """A JSON object from a model's folder.

    Args:
        path: the file.

    Returns:
        The object.

    Raises:
        UserError: there is no such file, or it holds no JSON object.
    """
    try:
        value = json.loads(path.read_text())
    except OSError as error:
        raise UserError(f"{path} is missing; this is not a complete diffusers model.") from error
    except ValueError as error:
        raise UserError(f"{path} is damaged; pull the model again.") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} is damaged; pull the model again.")
    return value


def _folder_facts(name: str, path: Path) -> ModelFacts:
    family = _folder_family(name, path)
    parts = ("unet", "vae", *FAMILIES[family].text_encoders)
    files = [file for part in parts for file in component_files(path / part)]
    return _with_own_defaults(_facts(name, family, files, side=_native_side(path, family)), path / "limner.json")


def _folder_family(name: str, path: Path) -> ModelFamily:
    pipeline = str(read_json(path / MODEL_INDEX).get("_class_name"))
    if (family := _BY_PIPELINE.get(pipeline)) is None:
        raise UserError(f"Model '{name}' is made for {pipeline}; Limner serves SDXL and SD 1.5.")
    unet, vae = read_json(path / "unet" / "config.json"), read_json(path / "vae" / "config.json")
    if unet.get("in_channels") != vae.get("latent_channels", 4):
        raise UserError(f"Model '{name}' draws inside pictures only; choose its text-to-image version.")
    return family


def _native_side(path: Path, family: ModelFamily) -> int:
    unet, vae = read_json(path / "unet" / "config.json"), read_json(path / "vae" / "config.json")
    latent, blocks = unet.get("sample_size"), vae.get("block_out_channels")
    if isinstance(latent, int) and isinstance(blocks, list):
        return int(latent * 2 ** (len(blocks) - 1))
    return FAMILIES[family].native_side


def _checkpoint_facts(name: str, path: Path) -> ModelFacts:
    tensors = WeightsFile.open(path).tensors
    own = path.with_suffix("")
    if (own / MODEL_INDEX).exists():  # configs beside the file tell more than its widths
        own_family = _folder_family(name, own)
        return _facts(name, own_family, [path], side=_native_side(own, own_family))
    first = tensors.get("model.diffusion_model.input_blocks.0.0.weight")
    widths = {tensors[key].shape[-1] for key in tensors if key.endswith("attn2.to_k.weight")}
    family = _BY_WIDTH.get(max(widths, default=0))
    if first is None or family is None:
        raise UserError(f"{path.name} is no whole SDXL or SD 1.5 checkpoint; Limner serves those two families.")
    if first.shape[1] != 4:
        raise UserError(f"{path.name} draws inside pictures only; choose its text-to-image version.")
    return _facts(name, family, [path], side=FAMILIES[family].native_side)


def _facts(name: str, family: ModelFamily, files: list[Path], *, side: int) -> ModelFacts:
    return ModelFacts(
        name=name,
        family=family,
        width=side,
        height=side,
        steps=_STEPS,
        guidance_scale=FAMILIES[family].guidance_scale,
        scheduler=Scheduler.EULER,
        max_pixels=_MAX_NATIVE_AREAS * side * side,
        hash=fingerprint(files),
        parameters=sum(WeightsFile.open(file).numel for file in files),
    )


def _with_own_defaults(facts: ModelFacts, path: Path) -> ModelFacts:
    """The facts with the defaults that a model states in its own `limner.json`, by their names here."""
    if not path.exists():
        return facts
    own = read_json(path)
    return replace(
        facts,
        steps=int(str(own.get("steps", facts.steps))),
        guidance_scale=float(str(own.get("guidance_scale", facts.guidance_scale))),
        scheduler=Scheduler.parse(str(own.get("scheduler", facts.scheduler))),
        upscale_strength=float(str(own.get("upscale_strength", facts.upscale_strength))),
    )
