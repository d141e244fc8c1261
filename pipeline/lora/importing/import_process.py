"""An import in a process of its own, with a memory limit and a deadline: a hostile file costs one sentence."""

import json
from asyncio.subprocess import Process
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.importing.header import FileLimits
from pipeline.lora.importing.report import Embedding, ImportReport
from pipeline.processes.child import ask, running

_PROGRAM: Final = "pipeline.lora.importing.import_program"
_LARGEST: Final = FileLimits().bytes
_BROKEN: Final = "This file cannot be read as a LoRA; download it again, or add another version of it."


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildLimits:
    """What one import may cost: `memory` in bytes beyond what an idle process has, `seconds` by the clock."""

    memory: int = 4 * 1024**3
    seconds: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One file to import for `model`, a diffusers folder or a checkpoint; the folder `configs` describes it.

    `word` calls for a textual inversion that has no name of its own.
    """

    source: Path
    target: Path
    model: Path
    configs: Path
    family: ModelFamily
    word: str = ""
    largest: int = _LARGEST
    adapter_config: str | None = None


async def import_apart(order: Order, limits: ChildLimits, child: Process | None = None) -> ImportReport:
    """Do `order` in a child process; raises UserError with the one sentence that tells why it cannot be done.

    `child` is one that `importing` started and nobody has asked yet, for who knew before that an order would come.
    """
    told = {"order": asdict(order), "memory": limits.memory}
    own = importing(order.model, order.configs, order.family) if child is None else nullcontext(child)
    async with own as asked:
        return _report(await ask(asked, told, limits.seconds))


def importing(model: Path, configs: Path, family: ModelFamily) -> AbstractAsyncContextManager[Process]:
    """A child process that makes itself ready for an import for this model, as `running`."""
    return running(_PROGRAM, str(model), str(configs), family)


def _report(answer: bytes) -> ImportReport:
    try:
        told = json.loads(answer)
    except ValueError:
        # The system ended it: memory, or a fault in a library that the file brought about.
        raise UserError(_BROKEN) from None
    if (sentence := told.get("refused")) is not None:
        raise UserError(sentence)
    report = told["report"]
    return ImportReport(
        **report
        | {
            "family": ModelFamily(report["family"]),
            "embeddings": tuple(Embedding(**embedding) for embedding in report["embeddings"]),
            "ranks": (report["ranks"][0], report["ranks"][1]),
        }
        | {name: tuple(report[name]) for name in ("algorithms", "trigger_words", "notes")}
    )
