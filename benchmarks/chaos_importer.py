"""The program of an import that opens nothing, for `benchmarks.chaos`: it stores the file as it came."""

import hashlib
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.families.family import ModelFamily
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.importing.report import ImportReport
from pipeline.processes.program import answer


def _import(order: dict[str, Any]) -> dict[str, Any]:
    target = Path(order["target"])
    shutil.copyfile(order["source"], target)
    data = target.read_bytes()
    report = ImportReport(
        layout="as it came", algorithms=("LoRA",), family=ModelFamily(order["family"]),
        scale_rule=ScaleRule.LINEAR, layers=1, ranks=(4, 4), embeddings=(), trigger_words=(), licence=None,
        sha256=hashlib.sha256(data).hexdigest(), data_sha256="", size=len(data), notes=(),
    )  # fmt: skip
    return {"report": asdict(report)}


if __name__ == "__main__":
    answer(_import)
