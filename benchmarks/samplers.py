"""How far each sampler is from where it leads, by its steps, on the embedded model.

`python -m benchmarks.samplers` prints two tables: each sampler with Karras' spacing, and each spacing with two
samplers. `--sheet FILE` draws one image by every sampler instead. The error is the distance of the latents to those of
Heun's rule in 125 steps of Karras from the same noise, by their length, as a mean over the prompts. A sampler that adds
noise leads to another image each time, so it has no error; for it there is the detail, the strength of the finest
structure against that of the reference: below 1 the image is blurred, above 1 there is noise left.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from pipeline.engine.loaded_model import LoadedModel
from pipeline.models.hardware import Hardware
from pipeline.models.source import ModelSource
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.image_request import ImageRequest, Scheduler
from pipeline.requests.spacing import Spacing

MODEL: Final = "pocket"
STEPS: Final = (5, 10, 20, 30)
PROMPTS: Final = (
    "red fox, glossy style, teal background",
    "penguin, cartoon style, orange background",
    "green apple, flat style, pink background",
)
NOISY: Final = frozenset(
    {
        Scheduler.EULER_A,
        Scheduler.LCM,
        Scheduler.TCD,
        Scheduler.DPMPP_SDE,
        Scheduler.DPMPP_2S_A,
        Scheduler.DPMPP_2M_SDE,
        Scheduler.DPMPP_3M_SDE,
    }
)
SHEET_STEPS: Final = (6, 20)
SHEET_COLUMNS: Final = 7
SIDE: Final = 128
LABEL: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one sampler at one number of steps: `error` is None where it adds noise."""

    error: float | None
    detail: float


class SamplerBench:
    """The embedded model, and what it makes of the prompts."""

    def __init__(self, prompts: Sequence[str] = PROMPTS) -> None:
        self._prompts = prompts
        self._model = LoadedModel(
            ModelSource.parse(MODEL), Hardware.choose("cpu"), DeviceSpec(models=(MODEL,), device="cpu", threads=1)
        )

    @cached_property
    def reference(self) -> Tensor:
        """Where every sampler without noise leads."""
        return self.latents(Scheduler.HEUN, Spacing.KARRAS, 125)

    def latents(self, scheduler: Scheduler, spacing: Spacing, steps: int) -> Tensor:
        """What the sampler makes of all prompts, in one batch."""
        facts, denoiser = self._model.facts, self._model.denoiser
        request = ImageRequest(
            prompt="-", width=SIDE, height=SIDE, steps=steps, guidance_scale=facts.guidance_scale, seed=7,
            scheduler=scheduler, spacing=spacing, model=MODEL,
        )  # fmt: skip
        memory = denoiser.open(2 * len(self._prompts), pages=0)
        running = [self._model.begin(replace(request, prompt=prompt), ()) for prompt in self._prompts]
        for place, state in enumerate(running):
            denoiser.assign(memory, state, (2 * place, 2 * place + 1))
        while not running[0].sampler.finished:
            denoiser.advance(memory, running)
        return torch.cat([state.latents for state in running])

    def figures(self, scheduler: Scheduler, spacing: Spacing, steps: int) -> Figures:
        """Against the reference."""
        latents = self.latents(scheduler, spacing, steps)
        lengths = (latents - self.reference).flatten(1).norm(dim=1) / self.reference.flatten(1).norm(dim=1)
        error = None if scheduler in NOISY else float(lengths.mean())
        return Figures(error=error, detail=_detail(latents) / _detail(self.reference))

    def image(self, latents: Tensor) -> Image.Image:
        """The first prompt's."""
        return Image.fromarray(self._model.denoiser.decode(latents[:1]).pixels.numpy())


def _detail(latents: Tensor) -> float:
    """The root of the power of what neighbours do not share."""
    inner = latents[..., 1:-1, 1:-1]
    around = latents[..., :-2, 1:-1] + latents[..., 2:, 1:-1] + latents[..., 1:-1, :-2] + latents[..., 1:-1, 2:]
    return float((inner - around / 4).square().mean().sqrt())


def samplers(bench: SamplerBench) -> Iterator[str]:
    """The lines of the first table."""
    yield "| sampler | calls in 20 steps | " + " | ".join(f"{steps} steps" for steps in STEPS) + " | detail in 20 |"
    yield "| --- " * (len(STEPS) + 3) + "|"
    for scheduler in Scheduler:
        figures = [bench.figures(scheduler, Spacing.KARRAS, steps) for steps in STEPS]
        errors = " | ".join("noise" if each.error is None else f"{each.error:.3f}" for each in figures)
        detail = figures[STEPS.index(20)].detail
        yield f"| {scheduler.label} | {scheduler.calls(20)} | {errors} | {detail:.2f} |"


def spacings(bench: SamplerBench) -> Iterator[str]:
    """The lines of the second table."""
    shown = [(kind, steps) for kind in (Scheduler.EULER, Scheduler.DPMPP_2M) for steps in (10, 20)]
    yield "| spacing | " + " | ".join(f"{kind.label}, {steps} steps" for kind, steps in shown) + " |"
    yield "| --- " * (len(shown) + 1) + "|"
    for spacing in Spacing:
        errors = [bench.figures(kind, spacing, steps).error for kind, steps in shown]
        yield f"| {spacing.label} | " + " | ".join(f"{error:.3f}" for error in errors) + " |"


def sheet(bench: SamplerBench, path: Path) -> None:
    """One prompt by every sampler, few steps above many."""
    kinds = list(Scheduler)
    rows = -(-len(kinds) // SHEET_COLUMNS)
    height = len(SHEET_STEPS) * SIDE + LABEL
    whole = Image.new("RGB", (SHEET_COLUMNS * SIDE, rows * height), "white")
    for place, kind in enumerate(kinds):
        left, top = place % SHEET_COLUMNS * SIDE, place // SHEET_COLUMNS * height
        ImageDraw.Draw(whole).text((left + 4, top + 2), kind.label, fill="black")
        for row, steps in enumerate(SHEET_STEPS):
            image = bench.image(bench.latents(kind, Spacing.NORMAL, steps))
            whole.paste(image, (left, top + LABEL + row * SIDE))
    whole.save(path, quality=88)


def main() -> None:
    """Print the tables, or draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sheet", type=Path, help="where to draw the sheet, as a .webp or .png")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.sheet is not None:
        sheet(SamplerBench(PROMPTS[:1]), given.sheet)
        return
    bench = SamplerBench()
    for lines in (samplers(bench), spacings(bench)):
        for line in lines:
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
