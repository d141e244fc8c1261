"""An export in a process of its own, since torch is the parent's to avoid.

`python -m pipeline.lora.exporting.export_process` reads one order from its input and writes one answer, both JSON.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.errors import UserError
from pipeline.lora.format.layout import LoraLayout
from pipeline.models.metadata import ModelFamily
from pipeline.processes.child import ask, running

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
    async with running(__name__) as child:
        answer = json.loads(await ask(child, asdict(order), _SECONDS) or '{"refused": ""}')
    if (sentence := answer.get("refused")) is not None:
        raise UserError(sentence or "This LoRA could not be exported here; try again later.")


def _answer(told: dict[str, Any]) -> dict[str, Any]:
    # Torch is the parent's to avoid.
    from pipeline.lora.exporting.export import Exported, export_lora  # noqa: PLC0415
    from pipeline.lora.format.file import LoraFile  # noqa: PLC0415
    from pipeline.lora.importing.base_layers import skeleton  # noqa: PLC0415

    about = Exported(title=told["title"], trigger=told["trigger"], resolution=told["resolution"])
    source, family = Path(told["source"]), ModelFamily(told["family"])
    try:
        changed = LoraFile.open(source).layers.keys()
        models = (skeleton(Path(folder), family) for folder in told["configs"])
        base = next((layers for layers in models if changed <= layers.keys()), None)
        if base is None:
            return {"refused": "The model that this LoRA was made for is no longer served here."}
        export_lora(source, base, LoraLayout(told["layout"]), about, Path(told["target"]))
    except UserError as error:
        return {"refused": str(error)}
    return {}


if __name__ == "__main__":
    json.dump(_answer(json.load(sys.stdin)), sys.stdout)
