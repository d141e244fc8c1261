"""Which family a one-file checkpoint is of, read from its header, or one sentence why it is not served."""

from collections.abc import Mapping
from typing import Final

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.models.safetensors_header import TensorHeader

_FIRST: Final = "model.diffusion_model.input_blocks.0.0.weight"
_KEYS: Final = "attn2.to_k.weight"
_SCALES: Final = ("scaled_fp8", ".scale_weight", ".weight_scale", ".scale_input", ".input_scale")
_BY_WIDTH: Final = {description.cross_attention_width: family for family, description in FAMILIES.items()}
# Other models of the same layout, by the width of their text.
_OTHERS: Final = {
    1024: "is a Stable Diffusion 2 checkpoint in one file; choose its diffusers folder, which Limner takes",
    1280: "is SDXL's refiner, which draws over finished pictures only; choose the base model",
}


def check_precision(file: str, tensors: Mapping[str, TensorHeader]) -> None:
    """Check that a file's numbers are the weights themselves.

    Args:
        file: its name, for the error.
        tensors: of its header.

    Raises:
        UserError: they are to be multiplied by scales.
    """
    if any(name.endswith(_SCALES) for name in tensors):
        raise UserError(f"{file} holds scaled float8 weights, which Limner does not read; choose its fp16 version.")


def file_family(file: str, tensors: Mapping[str, TensorHeader]) -> ModelFamily:
    """The family of a checkpoint.

    Args:
        file: its name, for the error.
        tensors: of its header.

    Returns:
        The family that draws from a prompt of this width.

    Raises:
        UserError: none does.
    """
    first = tensors.get(_FIRST)
    width = max((tensors[name].shape[-1] for name in tensors if name.endswith(_KEYS)), default=0)
    family = _BY_WIDTH.get(width)
    channels = 4 if first is None else first.shape[1]
    if channels == 9:
        raise UserError(f"{file} draws inside pictures only; choose its text-to-image version.")
    if channels != 4:
        raise UserError(f"{file} draws from more than a prompt; choose its text-to-image version.")
    if first is not None and width in _OTHERS:
        raise UserError(f"{file} {_OTHERS[width]}.")
    if first is None or family is None:
        raise UserError(
            f"{file} is no whole SDXL or SD 1.5 checkpoint; choose one of these two families, with its VAE and text "
            "encoders inside."
        )
    return family
