"""What merges LoRAs and ends: it reads an order from its input and writes an answer, both JSON."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.lora.exporting.merge import merge
from pipeline.lora.exporting.merge_process import MergeInput


def _answer(order: dict[str, Any]) -> dict[str, Any]:
    members = [MergeInput(**{**member, "path": Path(member["path"])}) for member in order["members"]]
    try:
        return asdict(merge(members, Path(order["target"])))
    except UserError as error:
        return {"refused": str(error)}


if __name__ == "__main__":
    json.dump(_answer(json.load(sys.stdin)), sys.stdout)
