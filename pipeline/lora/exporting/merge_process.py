"""A merge in a process of its own, since torch is the parent's to avoid."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import UserError
from pipeline.processes.child import ask, running

_PROGRAM: Final = "pipeline.lora.exporting.merge_program"
_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeInput:
    """A canonical file and how strongly it is meant in the UNet and in the text encoders."""

    path: Path
    scale: float
    text_encoder_scale: float

    def scale_of(self, layer: str) -> float:
        """The scale of `layer`, by its canonical name."""
        return self.scale if layer.startswith("unet.") else self.text_encoder_scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """What came of it: how many layers, their lowest and highest rank, the file's size in bytes."""

    layers: int
    ranks: tuple[int, int]
    size: int


async def fuse_apart(members: Sequence[MergeInput], target: Path) -> Fused:
    """Write what `members`, all of one family, do together to `target`; raises UserError where that cannot be."""
    order = {"members": [asdict(member) for member in members], "target": target}
    async with running(_PROGRAM) as child:
        answer = json.loads(await ask(child, order, _SECONDS) or '{"refused": ""}')
    if (sentence := answer.get("refused")) is not None:
        raise UserError(sentence or "These LoRAs could not be put together here; try fewer.")
    low, high = answer["ranks"]
    return Fused(layers=answer["layers"], ranks=(low, high), size=answer["size"])
