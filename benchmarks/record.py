"""Keeps what a benchmark says: `python -m benchmarks.record NAME benchmarks.engine trace-8`.

Runs the module several times, each in a process of its own, and writes `benchmarks/records/<date>-NAME/`: the command,
the machine, the log of every run, and the tables of all runs as one, each figure as the median with its range. Where a
page quotes an earlier record of that name, the table there is replaced.
"""

import argparse
import datetime
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.plots import plot_ratios

ROOT: Final = Path(__file__).parents[1]
RECORDS: Final = ROOT / "benchmarks" / "records"
_PACKAGES: Final = ("torch", "diffusers", "transformers", "peft", "sqlalchemy")
_FIGURE: Final = re.compile(r"(?P<sign>≤ )?(?P<value>\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?P<unit>| ?[%a-zA-Z]+)")

Table = list[list[str]]
"""The cells of a Markdown table, line by line, its head and the line under it included."""


def main() -> None:
    """Run the benchmark and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="what the record is called, behind the date")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("module", help="the benchmark, such as benchmarks.engine")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its own arguments")
    given = parser.parse_args()
    folder = RECORDS / f"{datetime.datetime.now(datetime.UTC).date()}-{given.name}"
    folder.mkdir(parents=True, exist_ok=True)
    command = ["-m", given.module, *given.arguments]
    (folder / "command.txt").write_text(f"python {' '.join(command)}\n", encoding="utf-8")
    (folder / "machine.txt").write_text(machine(), encoding="utf-8")
    outputs = [_run(command, number) for number in range(1, given.runs + 1)]
    (folder / "log.txt").write_text(without_paths("\n".join(outputs)), encoding="utf-8")
    merged = merge([tables(output) for output in outputs])
    (folder / "table.md").write_text("\n\n".join(map(markdown, merged)) + "\n", encoding="utf-8")
    for table in merged:
        if {"ratio", "must", "aim"} <= set(table[0]):
            plot_ratios(table, folder / "ratios.png")
    quote(folder, (ROOT / "docs").rglob("*.md"))


def _run(command: Sequence[str], number: int) -> str:
    """One run in a fresh process: what it prints, shown as it comes."""
    lines = [f"run {number}\n"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(  # noqa: S603  our own module
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        raise SystemExit(f"Run {number} ended with {process.returncode}, so nothing was recorded.")
    return "".join(lines)


def machine() -> str:
    """The machine, the versions that matter, and the revision that ran."""
    cpu = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES)
    changed = " with changes that are not committed" if _git("status", "--porcelain", "-uno") else ""
    return (
        f"{cpu[1] if cpu else 'unknown CPU'}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, no GPU used\n"
        f"Python {sys.version.split()[0]}, {versions}\n"
        f"revision {_git('rev-parse', '--short', 'HEAD')}{changed}\n"
    )


def _git(*arguments: str) -> str:
    return subprocess.check_output(["git", *arguments], cwd=ROOT, text=True).strip()  # noqa: S603, S607  fixed words


def without_paths(text: str) -> str:
    """The text without this machine's folders."""
    for path in (str(ROOT), sysconfig.get_path("purelib"), sys.base_prefix, str(Path.home())):
        text = text.replace(f"{path}/", "")
    return text


def tables(text: str) -> list[Table]:
    """The Markdown tables in what a benchmark printed."""
    found: list[Table] = []
    inside = False
    for line in text.splitlines():
        is_row = line.startswith("|") and line.endswith("|")
        if is_row and not inside:
            found.append([])
        if is_row:
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        inside = is_row
    return found


def merge(runs: Sequence[list[Table]]) -> list[Table]:
    """The same tables with the median and range of each figure over all runs.

    Raises:
        ValueError: Where the runs did not print the same lines.
    """
    return [
        [
            [_merged(cells) for cells in zip(*lines, strict=True)]
            for lines in zip(*same, strict=True)  # the same line of each run
        ]
        for same in zip(*runs, strict=True)  # the same table of each run
    ]


def _merged(cells: Sequence[str]) -> str:
    if len(set(cells)) == 1:
        return cells[0]
    figures = [_FIGURE.fullmatch(cell) for cell in cells]
    if not all(figures):
        raise ValueError(f"The runs differ in more than figures: {', '.join(cells)}")
    by_value = sorted((figure for figure in figures if figure), key=lambda figure: float(figure["value"]))
    values = [float(figure["value"]) for figure in by_value]
    middle = by_value[len(by_value) // 2]
    shown = middle["value"] if len(values) % 2 else f"{median(values):.3g}"
    return f"{shown}{middle['unit']} ({by_value[0]['value']} to {by_value[-1]['value']})"


def markdown(table: Table) -> str:
    """The table as it stands in a page."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in table)


def quote(folder: Path, pages: Iterable[Path]) -> None:
    """Let pages that name an earlier record of that name point at this one, and show its tables."""
    name = folder.name[len("2026-11-28-") :]
    named = re.compile(rf"\d{{4}}-\d\d-\d\d-{re.escape(name)}(?![\w-])")
    table = re.compile(rf"(<!-- record: {folder.name} -->\n)(?:\|.*\n|\n(?=\|))*")
    newest = (folder / "table.md").read_text(encoding="utf-8")
    for page in pages:
        text = page.read_text(encoding="utf-8")
        filled = table.sub(lambda marker: marker[1] + newest, named.sub(folder.name, text))
        if filled != text:
            page.write_text(filled, encoding="utf-8")


if __name__ == "__main__":
    main()
