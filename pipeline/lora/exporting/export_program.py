"""What exports one LoRA and ends: it reads an order from its input and writes an answer, both JSON."""

import json
import sys
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.exporting.export import Exported, export_lora
from pipeline.lora.format.file import LoraFile
from pipeline.lora.format.layout import LoraLayout
from pipeline.lora.importing.base_layers import skeleton


def _answer(order: dict[str, Any]) -> dict[str, Any]:
    about = Exported(title=order["title"], trigger=order["trigger"], resolution=order["resolution"])
    source, family = Path(order["source"]), ModelFamily(order["family"])
    try:
        changed = LoraFile.open(source).layers.keys()
        models = (skeleton(Path(folder), family) for folder in order["configs"])
        base = next((layers for layers in models if changed <= layers.keys()), None)
        if base is None:
            return {"refused": "The model that this LoRA was made for is no longer served here."}
        export_lora(source, base, LoraLayout(order["layout"]), about, Path(order["target"]))
    except UserError as error:
        return {"refused": str(error)}
    return {}


if __name__ == "__main__":
    json.dump(_answer(json.load(sys.stdin)), sys.stdout)
