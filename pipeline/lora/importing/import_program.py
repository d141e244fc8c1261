"""The program of an import's process: `python -m pipeline.lora.importing.import_program` answers one order.

With a model's configs and its family as arguments it reads those before it waits for the order.
"""

import sys
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Final

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.importing.base_layers import skeleton
from pipeline.lora.importing.header import FileLimits
from pipeline.lora.importing.importer import ImportBase, Upload, import_lora
from pipeline.memory import is_out_of_memory
from pipeline.processes.program import answer

_GREEDY: Final = "This file needs more memory than an import may use here."


@cache
def _base(configs: str, family: str) -> ImportBase:
    return ImportBase.of(ModelFamily(family), skeleton(Path(configs), ModelFamily(family)))


def _base_of(order: dict[str, Any]) -> ImportBase:
    return _base(order["configs"], order["family"])


def _import(order: dict[str, Any]) -> dict[str, Any]:
    limits = FileLimits(bytes=order["largest"])
    upload = Upload(
        path=Path(order["source"]),
        limits=limits,
        scale_rule=ScaleRule(order["scale_rule"]),
        **{name: order[name] for name in ("word", "adapter_config", "base_model", "title", "alpha")},
    )
    try:
        return {"report": asdict(import_lora(upload, _base_of(order), Path(order["target"])))}
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(_GREEDY) from error


if __name__ == "__main__":
    if expected := sys.argv[1:]:
        with suppress(UserError):  # raised again when the order comes
            _base(*expected)
    answer(_import, ready=_base_of)
