"""The program of an export's process: `python -m pipeline.lora.exporting.export_program` answers one order."""

from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.exporting.export import Exported, export_lora
from pipeline.lora.format.file import LoraFile
from pipeline.lora.format.layout import LoraLayout
from pipeline.lora.importing.base_layers import skeleton
from pipeline.processes.program import answer


def _export(order: dict[str, Any]) -> dict[str, Any]:
    about = Exported(title=order["title"], trigger=order["trigger"], resolution=order["resolution"])
    source, family = Path(order["source"]), ModelFamily(order["family"])
    lora = LoraFile.open(source)
    changed = {*lora.layers, *(name.rpartition(".")[0] for name in lora.vectors)}
    models = (skeleton(Path(folder), family) for folder in order["configs"])
    base = next((layers for layers in models if changed <= layers.keys()), None)
    if base is None:
        raise UserError("The model that this LoRA was made for is no longer served here.")
    export_lora(source, base, LoraLayout(order["layout"]), about, Path(order["target"]))
    return {}


if __name__ == "__main__":
    answer(_export)
