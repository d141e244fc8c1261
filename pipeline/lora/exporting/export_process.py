"""An export in a process of its own, since torch is the parent's to avoid."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.format.layout import LoraLayout
from pipeline.processes.child import ask, running

_PROGRAM: Final = "pipeline.lora.exporting.export_program"
_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOrder:
    """The canonical LoRA `source` to be written to `target`, with what the file says of itself.

    `configs` are folders that describe models of this `family`, one of which it was made for.
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
    """Do `order` in a child process; raises UserError with the one sentence that tells why it cannot be done."""
    async with running(_PROGRAM) as child:
        answer = json.loads(await ask(child, asdict(order), _SECONDS) or '{"refused": ""}')
    if (sentence := answer.get("refused")) is not None:
        raise UserError(sentence or "This LoRA could not be exported here; try again later.")
