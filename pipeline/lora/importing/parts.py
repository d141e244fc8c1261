"""The tensors that make up one layer's update in a LoRA file, whatever they are called there."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from torch import Tensor


class TensorRole(StrEnum):
    """The role of a tensor in its layer's update; the values are the names that kohya and LyCORIS use."""

    DOWN = "lora_down.weight"
    UP = "lora_up.weight"
    MID = "lora_mid.weight"
    ALPHA = "alpha"
    MAGNITUDE = "dora_scale"
    HADA_1_UP = "hada_w1_a"
    HADA_1_DOWN = "hada_w1_b"
    HADA_1_CORE = "hada_t1"
    HADA_2_UP = "hada_w2_a"
    HADA_2_DOWN = "hada_w2_b"
    HADA_2_CORE = "hada_t2"
    KRON_1 = "lokr_w1"
    KRON_1_UP = "lokr_w1_a"
    KRON_1_DOWN = "lokr_w1_b"
    KRON_2 = "lokr_w2"
    KRON_2_UP = "lokr_w2_a"
    KRON_2_DOWN = "lokr_w2_b"
    KRON_2_CORE = "lokr_t2"
    GAIN = "weight"
    GAIN_ON_INPUT = "on_input"
    GLORA_A_UP = "a1.weight"
    GLORA_A_DOWN = "a2.weight"
    GLORA_B_UP = "b1.weight"
    GLORA_B_DOWN = "b2.weight"
    GLORA_B_MID = "bm.weight"
    BLOCKS = "oft_blocks"
    RESCALE = "rescale"
    DIFFERENCE = "diff"
    BIAS_DIFFERENCE = "diff_b"
    NORM_DIFFERENCE = "w_norm"
    NORM_BIAS_DIFFERENCE = "b_norm"


LayerTensors = Mapping[TensorRole, Tensor]

# PEFT puts the adapter's own name between its parts and `.weight`.
_ADAPTER: Final = r"(?:\.[A-Za-z0-9_-]+)?"
_SPELLINGS: Final = {
    TensorRole.DOWN: rf"lora_down\.weight|lora\.down\.weight|lora_A{_ADAPTER}\.weight|lora_linear_layer\.down\.weight",
    TensorRole.UP: rf"lora_up\.weight|lora\.up\.weight|lora_B{_ADAPTER}\.weight|lora_linear_layer\.up\.weight",
    TensorRole.MID: r"lora_mid\.weight|lora\.mid\.weight",
    TensorRole.ALPHA: r"alpha|lora\.alpha",
    TensorRole.MAGNITUDE: rf"dora_scale|magnitude|lora_magnitude_vector{_ADAPTER}(?:\.weight)?",
}
_NAME: Final = re.compile(
    r"(?P<layer>.+?)\.(?:"
    + "|".join(f"(?P<{part.name}>{_SPELLINGS.get(part, re.escape(part.value))})" for part in TensorRole)
    + ")",
    re.ASCII,
)
# The layout of 2023: attention processors that hold the projections' halves.
_PROCESSOR: Final = re.compile(
    r"(?P<layer>.+?)\.(?:processor\.)?to_(?P<side>q|k|v|out)_lora\.(?P<half>down|up)\.weight", re.ASCII
)
# The very first layout: layers by number.
_NUMBERED: Final = re.compile(r"(?P<layer>(?:unet|text_encoder):\d{1,5}):(?P<half>up|down)", re.ASCII)
# A half of a LoRA by some other spelling, whose `.weight` is no gain and no model's own.
_HALF: Final = re.compile(r"\.lora[^.]*(?:\.|$)", re.ASCII | re.IGNORECASE)
_TEXT_SIDES: Final = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "out": "out_proj"}


def split_name(name: str) -> tuple[str, TensorRole] | None:
    """The layer and the role of a tensor.

    Args:
        name: of the tensor in its file.

    Returns:
        The layer's name as the file writes it, and the role; None if the tensor is no part of a layer.
    """
    if (old := _PROCESSOR.fullmatch(name)) is not None:
        side = _text_side(old) if "self_attn" in old["layer"] else _attention_side(old)
        return f"{old['layer']}.{side}", TensorRole.DOWN if old["half"] == "down" else TensorRole.UP
    if (first := _NUMBERED.fullmatch(name)) is not None:
        return first["layer"], TensorRole.DOWN if first["half"] == "down" else TensorRole.UP
    if (match := _NAME.fullmatch(name)) is None:
        return None
    if match[TensorRole.GAIN.name] is not None and _HALF.search(match["layer"]):
        return None
    return match["layer"], next(part for part in TensorRole if match[part.name] is not None)


def shaped(tensor: Tensor, name: str, part: TensorRole) -> Tensor:
    """A tensor in the shape that says which side of the weight it belongs to.

    Args:
        tensor: as the file holds it.
        name: of the tensor in the file.
        part: its role.

    Returns:
        A magnitude of PEFT, ai-toolkit or diffusers flat, since it is always of the output channels, though a
        convolution's is written as (1, out, 1, 1), which in LyCORIS's files is of the input channels.
    """
    return tensor.flatten() if part is TensorRole.MAGNITUDE and not name.endswith("dora_scale") else tensor


def _text_side(match: re.Match[str]) -> str:
    return _TEXT_SIDES[match["side"]]


def _attention_side(match: re.Match[str]) -> str:
    return "to_out.0" if match["side"] == "out" else f"to_{match['side']}"
