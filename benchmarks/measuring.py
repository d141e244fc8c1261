"""Shared by all benchmarks: CPU-seconds, and a row of a table."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

COST_HEADER = "| what | value | unit |\n|---|---|---|"
HEADER = "| workload | against | theirs | ours | unit | ratio | must | aim |\n|---|---|---|---|---|---|---|---|"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: `ratio` is theirs over ours; it must be at least `must`, and `aim` is the goal.

    Where less is better for the ratio itself (a share of somebody's time) `at_most` says so; a line for comparison only
    has no `must`.
    """

    workload: str
    against: str
    theirs: float
    ours: float
    must: float | None = None
    aim: float | None = None
    unit: str = "CPU-s"
    at_most: bool = False

    @property
    def ratio(self) -> float:
        """How many times better ours is, or, with `at_most`, how many times as much it takes."""
        return self.ours / self.theirs if self.at_most else self.theirs / self.ours

    def __str__(self) -> str:
        least = "≤ " if self.at_most else ""
        must, aim = ("" if limit is None else least + _times(limit) for limit in (self.must, self.aim))
        return (
            f"| {self.workload} | {self.against} | {self.theirs:.3g} | {self.ours:.3g} | {self.unit} "
            f"| {_times(self.ratio)} | {must} | {aim} |"
        )


def _times(ratio: float) -> str:
    return f"{ratio:.3g}x" if ratio < 2 else f"{ratio:.1f}x" if ratio < 100 else f"{ratio:.0f}x"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One line of a table of what was counted."""

    what: str
    value: float
    unit: str

    def __str__(self) -> str:
        return f"| {self.what} | {self.value:,.4g} | {self.unit} |"


@dataclass(kw_only=True)
class Stopwatch:
    """What a block took, once it has ended."""

    seconds: float = 0.0


@contextmanager
def cpu_seconds() -> Iterator[Stopwatch]:
    """Measure the processor time of all this process's threads inside the block."""
    watch = Stopwatch()
    began = time.process_time()
    yield watch
    watch.seconds = time.process_time() - began
