"""Layers by number, as the first trainer of LoRAs for diffusion models calls them (cloneofsimo/lora): `unet:0:up`.

It counts the layers that it injects in the order of the modules, which differs between releases of diffusers. The
shapes tell: an order counts where every layer of the file fits it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from pipeline.errors import UserError
from pipeline.lora.importing.base_layers import BaseLayer, Layers
from pipeline.lora.importing.file_layers import FileLayers
from pipeline.lora.importing.parts import TensorRole

_NUMBERED: Final = re.compile(r"(unet|text_encoder):(\d{1,5})", re.ASCII)
_BLOCK: Final = re.compile(r"unet\.(?P<side>down|up|mid)_block.*\.transformer_blocks\.\d+(?=\.attn1\.to_q$)")
_SIDES: Final = ("down", "up", "mid")
_TO: Final = ("to_q", "to_k", "to_v", "to_out.0")
_SELF: Final = tuple(f"attn1.{side}" for side in _TO)
_CROSS: Final = tuple(f"attn2.{side}" for side in _TO)
_GATE: Final = ("ff.net.0.proj",)
_ORDERS: Final = (_SELF + _GATE + _CROSS, _SELF + _CROSS + _GATE, _SELF + _CROSS)
_TEXT: Final = re.compile(r"(text_encoder\.encoder\.layers\.\d+\.self_attn)\.q_proj")
_TEXT_SIDES: Final = ("k_proj", "v_proj", "q_proj", "out_proj")


def numbered(layers: FileLayers, base: Layers) -> Mapping[str, BaseLayer]:
    """The base's layers for those that a file numbers.

    Args:
        layers: of the file.
        base: the model's.

    Returns:
        By the file's names; empty where it numbers none.

    Raises:
        UserError: they fit no order in which this base's layers can be counted.
    """
    wanted = {name: match for name in layers.layers if (match := _NUMBERED.fullmatch(name)) is not None}
    if not wanted:
        return {}
    counted = [{"unet": _of_unet(base, order), "text_encoder": _of_text(base)} for order in _ORDERS]
    for orders in counted:
        found = {}
        for name, match in wanted.items():
            own, number = orders[match[1]], int(match[2])
            if number >= len(own) or not _fits(layers, name, own[number]):
                break
            found[name] = own[number]
        else:
            return found
    raise UserError("This file of the first trainer of LoRAs numbers its layers, and they do not fit this base's.")


def _of_unet(base: Layers, order: tuple[str, ...]) -> list[BaseLayer]:
    blocks = [match for name in base if (match := _BLOCK.match(name)) is not None]
    blocks.sort(key=lambda match: _SIDES.index(match["side"]))  # the middle was made last
    return list(_present(base, [f"{block[0]}.{part}" for block in blocks for part in order]))


def _of_text(base: Layers) -> list[BaseLayer]:
    blocks = [match[1] for name in base if (match := _TEXT.fullmatch(name)) is not None]
    return list(_present(base, [f"{block}.{side}" for block in blocks for side in _TEXT_SIDES]))


def _present(base: Layers, names: list[str]) -> Iterator[BaseLayer]:
    return (base[name] for name in names if name in base)


def _fits(layers: FileLayers, name: str, layer: BaseLayer) -> bool:
    up, down = layers.header(name, TensorRole.UP), layers.header(name, TensorRole.DOWN)
    if up is None or down is None or len(up.shape) < 2 or len(down.shape) < 2:
        return True  # said when the layer is read
    return (up.shape[0], down.shape[1]) == (layer.outputs, layer.inputs)
