"""The blocks of a family's UNet, by which members weight LoRAs: Stability's input and output blocks, in the order and
with the presets of sd-webui-lora-block-weight (https://github.com/hako-mikan/sd-webui-lora-block-weight).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pipeline.families.family import ModelFamily

BASE: Final = "BASE"
"""The text encoders."""

_MIDDLE: Final = "M00"
_IN_STAGE: Final = 3
"""Blocks: two with residuals, and one more down or up; in all families."""

_LAYER: Final = re.compile(
    r"(?:(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)|mid_block)\."
)


def _blocks(side: str, *numbers: int) -> tuple[str, ...]:
    return tuple(f"{side}{number:02}" for number in numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyBlocks:
    """The blocks of a family that have attention, outer and inner ones, and how many `stages` its UNet has."""

    stages: int
    outer_in: tuple[str, ...]
    inner_in: tuple[str, ...]
    inner_out: tuple[str, ...]
    outer_out: tuple[str, ...]

    @property
    def attentive(self) -> tuple[str, ...]:
        """What a list for a plain LoRA weights."""
        return (BASE, *self.outer_in, *self.inner_in, _MIDDLE, *self.inner_out, *self.outer_out)

    @property
    def all(self) -> tuple[str, ...]:
        """What a list for LyCORIS weights."""
        count = range(_IN_STAGE * self.stages)
        return (BASE, *_blocks("IN", *count), _MIDDLE, *_blocks("OUT", *count))

    @property
    def presets(self) -> Mapping[str, Mapping[str, float]]:
        """Weights by their names; blocks that a preset does not have are at 0."""
        ins, outs = (*self.outer_in, *self.inner_in), (*self.inner_out, *self.outer_out)
        chosen = {
            "INS": self.outer_in,
            "IND": self.inner_in,
            "INALL": ins,
            "MIDD": (*self.inner_in, _MIDDLE, *self.inner_out),
            "OUTD": self.inner_out,
            "OUTS": self.outer_out,
            "OUTALL": outs,
        }
        return {
            "NONE": {},
            "ALL": dict.fromkeys(self.attentive, 1.0),
            "ALL0.5": dict.fromkeys(self.attentive, 0.5),
            **{name: dict.fromkeys((BASE, *blocks), 1.0) for name, blocks in chosen.items()},
        }


LORA_BLOCKS: Final[Mapping[ModelFamily, FamilyBlocks]] = {
    ModelFamily.SDXL: FamilyBlocks(
        stages=3,
        outer_in=_blocks("IN", 4, 5),
        inner_in=_blocks("IN", 7, 8),
        inner_out=_blocks("OUT", 0, 1, 2),
        outer_out=_blocks("OUT", 3, 4, 5),
    ),
    ModelFamily.SD15: FamilyBlocks(
        stages=4,
        outer_in=_blocks("IN", 1, 2, 4),
        inner_in=_blocks("IN", 5, 7, 8),
        inner_out=_blocks("OUT", 3, 4, 5, 6),
        outer_out=_blocks("OUT", 7, 8, 9, 10, 11),
    ),
}


@lru_cache(maxsize=4096)
def block_of(layer: str) -> str | None:
    """The block that a layer belongs to.

    Args:
        layer: its name in diffusers' UNet, or of a tensor of it.

    Returns:
        Such as "IN04"; None for the few outside of blocks: the embeddings of time and size, and the last layers.
    """
    if layer.startswith("conv_in"):
        return "IN00"
    if (match := _LAYER.match(layer)) is None:
        return None
    side, stage, kind, index = match.groups()
    if side is None:
        return _MIDDLE
    own = {"downsamplers": _IN_STAGE - 1, "upsamplers": _IN_STAGE - 1}.get(kind, int(index))
    number = _IN_STAGE * int(stage) + own
    return f"OUT{number:02}" if side == "up" else f"IN{number + 1:02}"
