"""A LoRA's scale in each block of its base.

They come from weights, as sd-webui-lora-block-weight has them, or from SD.Next's `in=`, `mid=` and `out=`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.errors import InvalidRequest
from pipeline.families.family import ModelFamily
from pipeline.families.lora_blocks import BASE, LORA_BLOCKS, FamilyBlocks, block_of
from pipeline.families.registry import FAMILIES
from pipeline.requests.image_request import MAX_LORA_SCALE, LoraUse

_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,6}(?:\.\d{0,20})?|\.\d{1,20})", re.ASCII)
_SIDES: Final = {"in": "IN", "mid": "M", "out": "OUT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockScales:
    """A LoRA's scales: the text encoders' `text`, the UNet's in each of `blocks`, and in its other layers `unet`."""

    unet: float
    text: float
    blocks: tuple[tuple[str, float], ...] = ()

    @property
    def largest(self) -> float:
        """That which changes most."""
        return max(self.unet, self.text, *dict(self.blocks).values(), key=abs)


def scale_in(blocks: tuple[tuple[str, float], ...], layer: str, otherwise: float) -> float:
    """The scale of a layer of the UNet.

    Args:
        blocks: those with a scale of their own.
        layer: its name in diffusers.
        otherwise: the scale of layers in none of them.

    Returns:
        One of these.
    """
    if not blocks or (block := block_of(layer)) is None:
        return otherwise
    return dict(blocks).get(block, otherwise)


def scales_of(use: LoraUse, family: ModelFamily) -> BlockScales:
    """The scales of a request's LoRA, with its block weights.

    Args:
        use: whose `blocks` are a preset's name, a number for each block, or scales of sides such as `in=0:mid=1`.
        family: of the base.

    Returns:
        Weights multiply the LoRA's scales; those of sides take the place of the UNet's.

    Raises:
        InvalidRequest: says what the family takes.
    """
    scales = BlockScales(unet=use.scale, text=use.effective_text_encoder_scale)
    if (text := use.blocks) is None:
        return scales
    own = LORA_BLOCKS[family]
    if "=" in text:
        made = _of_sides(use, text, scales, own)
    else:
        preset = own.presets.get(text.upper())
        weights = _listed(use, text, family) if preset is None else preset
        made = BlockScales(
            unet=scales.unet,
            text=scales.text * weights.get(BASE, 0.0),
            blocks=tuple((block, scales.unet * weights.get(block, 0.0)) for block in own.all[1:]),
        )
    if abs(made.largest) > MAX_LORA_SCALE:
        raise InvalidRequest(
            "lora",
            f"The block weights of LoRA '{use.name}' scale it beyond {MAX_LORA_SCALE:g}; write smaller ones.",
        )
    return made


def _listed(use: LoraUse, text: str, family: ModelFamily) -> Mapping[str, float]:
    own, name = LORA_BLOCKS[family], FAMILIES[family].name
    forms = {len(form): form for form in (own.attentive, own.all)}
    lengths = " or ".join(map(str, forms))
    numbers = [number.strip() for number in text.split(",")]
    if not all(map(_NUMBER.fullmatch, numbers)):
        raise InvalidRequest(
            "lora",
            f"LoRA '{use.name}' has no block weights '{text:.60}'; write {lengths} numbers for {name}, or one of: "
            f"{', '.join(own.presets)}.",
        )
    if len(numbers) not in forms:
        raise InvalidRequest(
            "lora", f"LoRA '{use.name}' is given {len(numbers)} block weights; {name} takes {lengths}."
        )
    return dict(zip(forms[len(numbers)], map(float, numbers), strict=True))


def _of_sides(use: LoraUse, text: str, scales: BlockScales, own: FamilyBlocks) -> BlockScales:
    """As SD.Next does it: layers of no side are with the inputs."""
    sides = {}
    for part in text.split(":"):
        key, _, number = part.partition("=")
        if key not in _SIDES or key in sides or not _NUMBER.fullmatch(number):
            raise InvalidRequest(
                "lora", f"The block weights '{text:.60}' of LoRA '{use.name}' are unclear; write in=0:mid=1:out=0.5."
            )
        sides[key] = float(number)
    of_block = {block: sides[key] for key in sides for block in own.all[1:] if block.startswith(_SIDES[key])}
    blocks = tuple((block, of_block.get(block, scales.unet)) for block in own.all[1:])
    return BlockScales(unet=sides.get("in", scales.unet), text=scales.text, blocks=blocks)
