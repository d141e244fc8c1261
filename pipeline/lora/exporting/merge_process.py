"""A merge in a process of its own, so that torch is not imported in the parent."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pipeline.lora.format.block_scales import scale_in
from pipeline.processes.child import ask, running

_PROGRAM: Final = "pipeline.lora.exporting.merge_program"
_BROKEN: Final = "These LoRAs could not be put together here; try fewer."
_SECONDS: Final = 300.0
_UNET: Final = "unet."


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeInput:
    """A canonical file and its scales in the UNet, in `blocks` of it, and in the text encoders."""

    path: Path
    scale: float
    text_encoder_scale: float
    blocks: tuple[tuple[str, float], ...] = ()

    def scale_of(self, layer: str) -> float:
        """The scale of a layer.

        Args:
            layer: its canonical name.

        Returns:
            That of its network, or of its block.
        """
        if not layer.startswith(_UNET):
            return self.text_encoder_scale
        return scale_in(self.blocks, layer.removeprefix(_UNET), self.scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What a merge made: the number of layers whose weights change, and the file's size in bytes."""

    layers: int
    size: int


async def merge_apart(members: Sequence[MergeInput], target: Path) -> Merged:
    """Merge LoRAs in a child process, within five minutes.

    Args:
        members: all of one family.
        target: the merged file, canonical too.

    Returns:
        What is in it.

    Raises:
        UserError: one sentence why it cannot be done.
    """
    order = {"members": [asdict(member) for member in members], "target": target}
    async with running(_PROGRAM) as child:
        answer = await ask(child, order, seconds=_SECONDS, broken=_BROKEN)
    return Merged(**answer)
