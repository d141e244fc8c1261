"""Shared by all benchmarks: CPU-seconds, a row of a table, and the plot of many rows."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import nan
from pathlib import Path

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

    @property
    def holds(self) -> bool:
        """Whether the ratio is as it must be."""
        if self.must is None:
            return True
        return self.ratio <= self.must if self.at_most else self.ratio >= self.must

    def __str__(self) -> str:
        least = "≤ " if self.at_most else ""
        must, aim = ("" if limit is None else least + _times(limit) for limit in (self.must, self.aim))
        return (
            f"| {self.workload} | {self.against} | {self.theirs:.3g} | {self.ours:.3g} | {self.unit} "
            f"| {_times(self.ratio)} | {must} | {aim} |"
        )


def _times(ratio: float) -> str:
    return f"{ratio:.3g}x" if ratio < 2 else f"{ratio:.1f}x" if ratio < 100 else f"{ratio:.0f}x"


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


def record(rows: Sequence[Row], path: Path) -> list[Row]:
    """Put `rows` on record in place of earlier ones of the same name; returns all that are on record."""
    recorded = [Row(**fields) for fields in json.loads(path.read_text(encoding="utf-8"))] if path.exists() else []
    newest = {(row.workload, row.against): row for row in (*recorded, *rows)}
    path.write_text(json.dumps([asdict(row) for row in newest.values()], indent=1) + "\n", encoding="utf-8")
    return list(newest.values())


def plot(rows: Sequence[Row], path: Path) -> None:
    """Every ratio as a bar beside its `must` and `aim`, on a logarithmic axis."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only who records needs it

    figure = Figure(figsize=(10, 1.2 + 0.45 * len(rows)), layout="constrained")
    axes = figure.subplots()
    places = range(len(rows))
    axes.barh(places, [row.ratio for row in rows], color=["#4c9f70" if row.holds else "#c8553d" for row in rows])
    axes.plot([row.must or nan for row in rows], places, "k|", markersize=18, markeredgewidth=2, label="must")
    axes.plot([row.aim or nan for row in rows], places, "k:", linewidth=0, marker="d", markersize=5, label="aim")
    for place, row in zip(places, rows, strict=True):
        axes.annotate(
            _times(row.ratio), (row.ratio, place), (4, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.set_yticks(places, [f"{row.workload}\nagainst {row.against}" for row in rows], fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("times better (previews and the light guild: times as long)")
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=110)


def plot_memory(held: Sequence[tuple[int, float, float]], budget: float, path: Path) -> None:
    """What a process and its LoRAs held after so many requests, in MiB, beside what the setting allows the LoRAs."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only who records needs it

    requests, process, loras = zip(*held, strict=True)
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(requests, process, label="the process")
    axes.plot(requests, loras, label="LoRAs in host memory")
    axes.axhline(budget, color="k", linestyle=":", label="what the setting allows them")
    axes.set_xlabel("requests")
    axes.set_ylabel("MiB")
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(path, dpi=110)
