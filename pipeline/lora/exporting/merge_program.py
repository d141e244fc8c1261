"""The program of a merge's process: `python -m pipeline.lora.exporting.merge_program` answers one order."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.lora.exporting.merge import merge
from pipeline.lora.exporting.merge_process import MergeInput
from pipeline.processes.program import answer


def _merge(order: dict[str, Any]) -> dict[str, Any]:
    members = [MergeInput(**{**member, "path": Path(member["path"])}) for member in order["members"]]
    return asdict(merge(members, Path(order["target"])))


if __name__ == "__main__":
    answer(_merge)
