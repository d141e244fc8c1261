"""What benchmarks draw."""

from collections.abc import Sequence
from math import nan
from pathlib import Path

from matplotlib.figure import Figure


def plot_ratios(table: Sequence[Sequence[str]], path: Path) -> None:
    """Every ratio as a bar beside what it must be and what it aims at, on a logarithmic axis.

    `table` is a recorded table with the columns workload, against, ratio, must and aim; its first two lines are the
    head.
    """
    rows = [dict(zip(table[0], cells, strict=True)) for cells in table[2:]]
    ratios, musts, aims = ([_number(row[name]) for row in rows] for name in ("ratio", "must", "aim"))
    holds = [_holds(row) for row in rows]
    figure = Figure(figsize=(10, 1.2 + 0.45 * len(rows)), layout="constrained")
    axes = figure.subplots()
    places = range(len(rows))
    axes.barh(places, ratios, color=["#4c9f70" if held else "#c8553d" for held in holds])
    axes.plot(musts, places, "k|", markersize=18, markeredgewidth=2, label="must")
    axes.plot(aims, places, "k:", linewidth=0, marker="d", markersize=5, label="aim")
    for place, row in enumerate(rows):
        # In the bar, where no mark of a limit is.
        axes.annotate(
            row["ratio"].partition(" ")[0], (0, place), (3, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center", fontsize=8, color="white", weight="bold",
        )  # fmt: skip
    axes.set_yticks(places, [f"{row['workload']}\nagainst {row['against']}" for row in rows], fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(left=0.5)
    axes.set_xlabel("times better; where the limit is an upper one, times as long")
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=110)


def _number(cell: str) -> float:
    words = cell.removeprefix("≤ ").split()
    return float(words[0].rstrip("x")) if words else nan


def _holds(row: dict[str, str]) -> bool:
    ratio, must = _number(row["ratio"]), _number(row["must"])
    return not (ratio > must if row["must"].startswith("≤") else ratio < must)


def plot_memory(held: Sequence[tuple[int, float, float]], budget: float, path: Path) -> None:
    """What a process and its LoRAs held after so many requests, in MiB, beside what the setting allows the LoRAs."""
    requests, process, loras = zip(*held, strict=True)
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(requests, process, label="the process")
    axes.plot(requests, loras, label="LoRAs in host memory")
    axes.axhline(budget, color="k", linestyle=":", label="what the setting allows them")
    axes.set_xlabel("requests")
    axes.set_ylabel("MiB")
    axes.set_ylim(bottom=0)
    axes.legend(loc="center right")
    figure.savefig(path, dpi=110)
