"""An export in a process of its own, so that torch is not imported in the parent."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pipeline.families.family import ModelFamily
from pipeline.lora.format.layout import LoraLayout
from pipeline.processes.child import ask, running

_PROGRAM: Final = "pipeline.lora.exporting.export_program"
_BROKEN: Final = "This LoRA could not be exported here; try again later."
_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOrder:
    """An order to write the canonical LoRA `source` to `target`, with the metadata `title`, `trigger` and `resolution`.

    `configs` are folders that describe models of this `family`, one of which the LoRA was made for.
    """

    source: Path
    target: Path
    layout: LoraLayout
    family: ModelFamily
    configs: Sequence[Path]
    title: str
    trigger: str
    resolution: int


async def export_apart(order: ExportOrder) -> None:
    """Export a LoRA in a child process, within five minutes.

    Args:
        order: what to do; its file `target` is there afterwards.

    Raises:
        UserError: one sentence why it cannot be done.
    """
    async with running(_PROGRAM) as child:
        await ask(child, asdict(order), seconds=_SECONDS, broken=_BROKEN)
