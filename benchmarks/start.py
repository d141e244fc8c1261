"""From the command to the first image: CPU-seconds and time on the clock, and how much of it is imports.

    python -m benchmarks.start [--runs 5] [--imports FILE]

Each run is the whole of `limner imagine` with pocket, by a fresh process, first in an empty data folder, then again in
it. CPU-seconds are those of the command and of its device's process; what both import is measured by itself, too. As
many runs more are timed by `python -X importtime` in both processes: FILE gets the 25 imports of the quickest run that
took longest, with all that they import. Those are seconds on the clock, which others' work on the same cores lengthens.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Final

_ROOT: Final = Path(__file__).parents[1]
_COMMAND: Final = (sys.executable, "-m", "bot", "imagine", "red fox, glossy style, teal background")
_OPTIONS: Final = ("--steps", "6", "--seed", "7")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PACKAGES: Final = ("torch", "diffusers", "transformers", "peft")
_LONGEST: Final = 25
_IMPORTS: Final = {
    "command": "import bot.__main__, bot.terminal.one_shot",
    "device": "from pipeline.processes.program import keeping_all\nwith keeping_all():\n import pipeline.engine.engine",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One run, in seconds: `own` is the command's processor time, `device` that of the process it started."""

    own: float
    device: float
    wall: float

    @property
    def total(self) -> float:
        """Of both processes."""
        return self.own + self.device


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One module's import, in seconds: by itself, and with all that it imports."""

    name: str
    own: float
    cumulative: float


def run_command(data: Path, **environment: str) -> tuple[Start, str]:
    """Make one image with the data folder `data`; what it took, and what was written to standard error."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith("LIMNER_")}
    settings |= {"PYTHONPATH": str(_ROOT), "LIMNER_DATA": str(data), **environment}
    with tempfile.TemporaryFile("w+") as errors, tempfile.TemporaryDirectory() as elsewhere:
        began = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603  our own command
            (*_COMMAND, *_OPTIONS), cwd=elsewhere, env=settings, stdout=subprocess.DEVNULL, stderr=errors
        )
        # Ended, and not yet taken away: only now the kernel still tells the process from its children.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        wall = time.perf_counter() - began
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        errors.seek(0)
        written = errors.read()
    if process.wait() != 0 or not list((data / "images").glob("*.png")):
        raise SystemExit(f"the command made no image:\n{written}")
    user, system, children_user, children_system = (int(ticks) / _TICKS for ticks in fields[11:15])
    return Start(own=user + system, device=children_user + children_system, wall=wall), written


def import_seconds(statements: str) -> float:
    """The processor time of a fresh process that imports and ends at once."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ending = f"{statements}\nimport os\nos._exit(0)"
    subprocess.run((sys.executable, "-c", ending), cwd=_ROOT, check=True)  # noqa: S603  our own statements
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def imports_in(errors: str) -> list[Imported]:
    """What `-X importtime` wrote, the longest first; a module that both processes import comes twice."""
    found = []
    for line in errors.splitlines():
        head, _, rest = line.partition("import time:")
        parts = rest.split("|")
        if not head and len(parts) == 3 and parts[0].strip().isdigit():
            own, cumulative = (int(part) / 1e6 for part in parts[:2])
            found.append(Imported(name=parts[2].strip(), own=own, cumulative=cumulative))
    return sorted(found, key=lambda module: -module.cumulative)


def _machine() -> str:
    described = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in described if line.startswith("model name")), "unknown")
    return f"{os.cpu_count()} cores ({cpu}), Python {platform.python_version()}, " + ", ".join(map(_version, _PACKAGES))


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"


def _row(name: str, starts: Sequence[Start]) -> str:
    sides = zip(*((start.own, start.device, start.total, start.wall) for start in starts), strict=True)
    cells = [f"{median(side):.2f}" for side in sides]
    return f"| {name} | {' | '.join(cells)} |"


def _seconds(imports: Sequence[Imported]) -> float:
    return sum(each.own for each in imports)


def _summary(imports: Sequence[Imported]) -> str:
    lines = [f"{_seconds(imports):.2f} s in {len(imports)} imports by both processes; the longest:", ""]
    lines += [f"{each.cumulative:8.3f} s  {each.name}" for each in imports[:_LONGEST]]
    return "\n".join((_machine(), "", *lines)) + "\n"


def main() -> None:
    """Measure, print the table, write the imports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--imports", type=Path)
    chosen = parser.parse_args()
    fresh, used, timed = [], [], []
    for _ in range(chosen.runs):
        with tempfile.TemporaryDirectory() as data:
            fresh.append(run_command(Path(data))[0])
            used.append(run_command(Path(data))[0])
            timed.append(run_command(Path(data), PYTHONPROFILEIMPORTTIME="1"))
    imports = min((imports_in(errors) for _, errors in timed), key=_seconds)
    alone = {side: median(import_seconds(code) for _ in range(chosen.runs)) for side, code in _IMPORTS.items()}
    print(f"{_machine()}\n")
    print("| data folder | command, CPU-s | device, CPU-s | both, CPU-s | on the clock, s |\n|---|---|---|---|---|")
    print(f"{_row('fresh', fresh)}\n{_row('used', used)}\n")
    print(f"Imports alone: {alone['command']:.2f} CPU-s in the command, {alone['device']:.2f} in the device.")
    if chosen.imports is not None:
        chosen.imports.write_text(_summary(imports), encoding="utf-8")


if __name__ == "__main__":
    main()
