"""What a GPU makes of the engine and of the trainer, beside diffusers' documented ways, in one run of six minutes.

`python -m benchmarks.gpu --out FOLDER` measures SDXL at full size with random weights and writes figures, a table and a
plot; `--tiny` tries every part on a CPU in a minute. Each part runs under a time limit of its own in a process that is
replaced when it hangs or dies, and says what it measured at once: a late failure loses nothing.

The machine needs CUDA, torch 2.11 or newer, and what `--wheels` lists; no network.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

_FIGURES = "figures.jsonl"
WHEELS = (
    "accelerate",
    "annotated-types",
    "diffusers",
    "importlib-metadata",
    "peft",
    "pydantic",
    "pydantic-core",
    "safetensors",
    "torchao",
    "typing-inspection",
    "zipp",
)
_NOTICE_SECONDS = 0.2
_TINY_PATIENCE = 4
"""A CPU on which others work as well is slow, not broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What a part measured: one value a run, in `unit`; none where it only has something to say."""

    part: str
    what: str
    values: tuple[float, ...] = ()
    unit: str = ""


def main() -> None:
    """Measure, or list what to bring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="the parts to run, all of them if none is named")
    parser.add_argument("--out", type=Path, default=Path("gpu-figures"))
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--tiny", action="store_true", help="a tiny model, to try the script itself")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--scratch", type=Path, help="a folder for the model, kept for the next run")
    parser.add_argument("--wheels", action="store_true", help="list the packages to bring to a machine without network")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.wheels:
        print(*_pinned(), sep="\n")
    elif options.worker:
        _work(options)
    else:
        _measure(options)


def _measure(options: argparse.Namespace) -> None:
    """Run the parts until all have ended or the time is over; then the table and the plot."""
    from benchmarks.gpu_parts import PARTS  # noqa: PLC0415  torch, which `--wheels` has no need of

    deadline = time.monotonic() + 60 * options.minutes
    waiting = options.parts or list(PARTS)
    with tempfile.TemporaryDirectory(prefix="limner-gpu-") as name:
        scratch = options.scratch or Path(name)
        scratch.mkdir(parents=True, exist_ok=True)
        while waiting and time.monotonic() < deadline:
            waiting = _run_worker(options, scratch, waiting, deadline)
    if waiting:
        _say(options.out, Figure(part="left out", what=f"no time was left for {', '.join(waiting)}"))
    figures = _figures(options.out)
    (options.out / "table.md").write_text(_table(figures))
    _plot(figures, options.out / "figures.png")
    print((options.out / "table.md").read_text())


def _run_worker(options: argparse.Namespace, scratch: Path, waiting: Sequence[str], deadline: float) -> list[str]:
    """One process for `waiting`; returns those that are still to do when it has ended or was ended."""
    from benchmarks.gpu_parts import PARTS  # noqa: PLC0415  as above

    command = [sys.executable, "-m", "benchmarks.gpu", *waiting, "--worker", str(scratch), "--out", str(options.out)]
    command += ["--device", options.device, *["--tiny"] * options.tiny]
    patience = _TINY_PATIENCE if options.tiny else 1
    done = scratch / "done"
    done.write_text("")
    left = list(waiting)
    with (options.out / "worker.log").open("a") as log:
        worker = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603  our own
        began = time.monotonic()
        while left and worker.poll() is None:
            time.sleep(_NOTICE_SECONDS)
            ended = len(done.read_text().splitlines())
            if ended > len(waiting) - len(left):
                left, began = list(waiting[ended:]), time.monotonic()
            elif time.monotonic() > min(began + patience * PARTS[left[0]][1], deadline):
                _say(options.out, Figure(part=left[0], what=f"ended after {time.monotonic() - began:.0f} s"))
                worker.kill()
                worker.wait()
                return left[1:]
        worker.wait()
    if left and worker.returncode:
        _say(options.out, Figure(part=left[0], what=f"the process ended with {worker.returncode}"))
        return left[1:]
    return []


def _work(options: argparse.Namespace) -> None:
    """In the worker's process: one part after the other."""
    import torch  # noqa: PLC0415  the parent has no need of it

    from benchmarks.gpu_model import FULL, TINY, Assets  # noqa: PLC0415  as above
    from benchmarks.gpu_parts import PARTS, Sides  # noqa: PLC0415  as above

    out, device = options.out, torch.device(options.device)
    assets = Assets(root=options.worker / "assets", device=device, size=TINY if options.tiny else FULL)
    assets.root.mkdir(exist_ok=True)
    sides = Sides(assets=assets, out=out)
    name = f"CPU {platform.machine()}" if device.type == "cpu" else torch.cuda.get_device_name(device)
    _say(out, Figure(part="machine", what=f"{name}, torch {torch.__version__}, Python {platform.python_version()}"))
    for part in options.parts:
        print(f"{time.strftime('%X')} {part}", flush=True)
        try:
            for what, values, unit in PARTS[part][0](sides):
                _say(out, Figure(part=part, what=what, values=tuple(values), unit=unit))
        except Exception as error:
            traceback.print_exc()
            _say(out, Figure(part=part, what=f"failed: {type(error).__name__}: {str(error)[:300]}"))
            sides.release()
        with (options.worker / "done").open("a") as file:
            file.write(f"{part}\n")


def _say(out: Path, figure: Figure) -> None:
    with (out / _FIGURES).open("a") as file:
        file.write(json.dumps(asdict(figure)) + "\n")


def _figures(out: Path) -> list[Figure]:
    return [Figure(**json.loads(line)) for line in (out / _FIGURES).read_text().splitlines()]


def _table(figures: Sequence[Figure]) -> str:
    """Every figure: the median, and the least and the most where there are several."""
    lines = ["| part | what | median | range | unit |", "|---|---|---|---|---|"]
    for figure in figures:
        values = figure.values
        middle = f"{median(values):.4g}" if values else ""
        spread = f"{min(values):.4g} to {max(values):.4g} ({len(values)})" if len(values) > 1 else ""
        lines.append(f"| {figure.part} | {figure.what} | {middle} | {spread} | {figure.unit} |")
    return "\n".join(lines) + "\n"


def _plot(figures: Sequence[Figure], path: Path) -> None:
    """The times of an image and of a step as bars."""
    from matplotlib.figure import Figure as Drawing  # noqa: PLC0415  only who records needs it

    units = ("s an image", "ms a step an image")
    shown = {unit: [figure for figure in figures if figure.unit == unit and figure.values] for unit in units}
    drawing = Drawing(figsize=(10, 2 + 0.3 * sum(map(len, shown.values()))), layout="constrained")
    heights = [max(1, len(own)) for own in shown.values()]
    for axes, (unit, own) in zip(drawing.subplots(len(units), 1, height_ratios=heights), shown.items(), strict=True):
        axes.barh([f"{figure.part}: {figure.what}" for figure in own], [median(figure.values) for figure in own])
        axes.invert_yaxis()
        axes.set_xlabel(unit)
        axes.tick_params(axis="y", labelsize=7)
    drawing.savefig(path, dpi=110)


def _pinned() -> list[str]:
    """The packages to bring in the versions that this project is tested with."""
    lines = Path("constraints.txt").read_text().splitlines()
    versions = {line.split("==")[0].lower().replace("_", "-"): line for line in lines}
    return [versions.get(name, name) for name in WHEELS]


if __name__ == "__main__":
    main()
