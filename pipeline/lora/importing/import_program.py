"""What imports one file and ends: it reads an order from its input and writes an answer, both JSON.

With a model, its configs and its family as arguments it opens that model before it waits for the order.
"""

import json
import os
import resource
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.importing.header import FileLimits

_GREEDY: Final = "This file needs more memory than an import may use here."


def _answer(read: Callable[[], dict[str, Any]], expected: Sequence[str]) -> dict[str, Any]:
    """The child's whole work; `read` waits for the order, and `expected` is the base that it will be for, if any."""
    # Before torch: threads that spin while they wait would cost ten times the import where others share the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Before the order is read: nothing here takes longer than to load torch.
    from pipeline.lora.importing.importer import Upload, import_lora  # noqa: PLC0415
    from pipeline.lora.importing.opening import open_base  # noqa: PLC0415

    opened = cache(open_base)
    if expected:
        model, configs, family = expected
        with suppress(UserError):  # told when the order comes
            opened(Path(model), Path(configs), ModelFamily(family))
    question = read()
    order = question["order"]
    try:
        base = opened(Path(order["model"]), Path(order["configs"]), ModelFamily(order["family"]))
        _limit_memory(question["memory"])
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
