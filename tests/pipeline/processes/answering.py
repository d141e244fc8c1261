"""A child's program for the tests of `ask`: it does what its order says."""

import os
import sys
from typing import Any

from pipeline.errors import UserError
from pipeline.processes.program import answer

_kept: list[bytes] = []


def _work(order: dict[str, Any]) -> dict[str, Any]:
    match order:
        case {"refuse": sentence}:
            raise UserError(sentence)
        case {"die": signal}:
            os.kill(os.getpid(), signal)
        case {"print": text, "times": times}:
            for _ in range(times):
                sys.stdout.write(text)
        case {"print": text}:
            sys.stdout.write(text)
        case {"variable": name}:
            return {"value": os.environ.get(name)}
        case {"overfill": size}:
            return {"size": len(bytes(size))}
        case {"allocate": size}:
            return {"ready": bool(_kept), "allocated": _can_have(size)}
    echo: dict[str, Any] = order.get("echo", {})
    return echo


def _can_have(size: int) -> bool:
    try:
        return len(bytes(size)) == size
    except MemoryError:
        return False


def _ready(order: dict[str, Any]) -> None:
    if "ready" in order:
        _kept.append(bytes(order["ready"]))


if __name__ == "__main__":
    answer(_work, ready=_ready)
