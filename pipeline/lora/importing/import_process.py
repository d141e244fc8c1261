"""An import in a process of its own, with a memory limit and a deadline: a hostile file costs one sentence.

`python -m pipeline.lora.importing.import_process` reads one order from its input and writes one answer, both JSON. With
a model, its configs and its family as arguments it opens that model before it waits for the order.
"""

import json
import os
import resource
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from pipeline.errors import UserError
from pipeline.lora.importing.header import FileLimits
from pipeline.lora.importing.report import Embedding, ImportReport
from pipeline.models.metadata import ModelFamily
from pipeline.processes.child import ask, running

_GREEDY: Final = "This file needs more memory than an import may use here."
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
    return running(__name__, str(model), str(configs), family)


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


def _answer(read: Callable[[], dict[str, Any]], expected: Sequence[str]) -> dict[str, Any]:
    """The child's whole work; `read` waits for the order, and `expected` is the base that it will be for, if any."""
    # Before torch: threads that spin while they wait would cost ten times the import where others share the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Torch is the parent's to avoid: chats and workers never import it. It comes first, for it takes the longest.
    from pipeline.lora.importing.importer import Upload, import_lora  # noqa: PLC0415
    from pipeline.lora.importing.opening import open_base  # noqa: PLC0415

    opened = cache(open_base)
    if expected:
        model, configs, family = expected
        with suppress(UserError):  # told when the order comes
            opened(Path(model), Path(configs), ModelFamily(family))
    told = read()
    order = told["order"]
    try:
        base = opened(Path(order["model"]), Path(order["configs"]), ModelFamily(order["family"]))
        _limit_memory(told["memory"])
        limits = FileLimits(bytes=order["largest"])
        upload = Upload(
            path=Path(order["source"]), word=order["word"], limits=limits, adapter_config=order["adapter_config"]
        )
        return {"report": asdict(import_lora(upload, base, Path(order["target"])))}
    except UserError as error:
        return {"refused": str(error)}
    except MemoryError:
        return {"refused": _GREEDY}
    except RuntimeError as error:
        # Torch has no class of its own for memory that it cannot have.
        if "allocate" not in str(error):
            raise
        return {"refused": _GREEDY}


def _limit_memory(extra: int) -> None:
    """Let this process have `extra` bytes of addresses more than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + extra
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    json.dump(_answer(partial(json.load, sys.stdin), sys.argv[1:]), sys.stdout)
    sys.stdout.flush()
    # The answer is out; what an interpreter with torch in it does to end costs more than most imports.
    os._exit(0)
