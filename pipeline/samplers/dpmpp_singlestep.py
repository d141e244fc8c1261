"""DPM-Solver++ with two calls a step: Lu et al., 2022 (arXiv 2211.01095), with noise as k-diffusion adds it."""

from dataclasses import replace
from math import sqrt

from pipeline.samplers.call import STAYS, Call, WeightedSum
from pipeline.samplers.ddim import first_order
from pipeline.samplers.noise_level import NoiseLevel
from pipeline.samplers.path import Path


def dpmpp_2s_a(path: Path) -> list[Call]:
    """Each step goes further down than it has to, by the guess half-way, and comes back up with noise.

    Args:
        path: to walk.

    Returns:
        Two calls a step, but for a last one to no noise.
    """
    calls: list[Call] = []
    for step, (here, to) in enumerate(path.pairs):
        if not to.noise:
            calls.append(Call(step=step, level=here, after=first_order(here, to)))
            continue
        down, _ = ancestral(here.sigma, to.sigma)
        middle = path.table.of_sigma(sqrt(here.sigma * down))
        calls.append(Call(step=step, level=here, after=first_order(here, middle), base=STAYS))
        calls.append(Call(step=step, level=middle, after=_whole_step(here, to)))
    return calls


def dpmpp_sde(path: Path) -> list[Call]:
    """Noise is put back half-way as well, before the second call.

    Args:
        path: to walk.

    Returns:
        Two calls a step, but for a last one to no noise.
    """
    calls: list[Call] = []
    for step, (here, to) in enumerate(path.pairs):
        if not to.noise:
            calls.append(Call(step=step, level=here, after=first_order(here, to)))
            continue
        middle = path.table.of_sigma(sqrt(here.sigma * to.sigma))
        half = _whole_step(here, middle)
        first = replace(half, latents=half.base, base=0.0)
        calls.append(Call(step=step, level=here, after=first, base=STAYS))
        calls.append(Call(step=step, level=middle, after=_whole_step(here, to)))
    return calls


def _whole_step(here: NoiseLevel, to: NoiseLevel) -> WeightedSum:
    """From the latents that were kept, down by the guess and back up with noise."""
    down, up = ancestral(here.sigma, to.sigma)
    return WeightedSum(
        base=to.signal / here.signal * down / here.sigma,
        guess=to.signal * (1 - down / here.sigma),
        noise=to.signal * up,
    )


def ancestral(sigma: float, after: float) -> tuple[float, float]:
    """How far an ancestral step goes down, and how much noise it adds to come to where it should be.

    Args:
        sigma: before the step.
        after: where the step ends, above 0.

    Returns:
        The two sigmas; their squares add up to that of `after`.
    """
    up = min(after, after * sqrt(max(0.0, 1 - (after / sigma) ** 2)))
    return sqrt(after**2 - up**2), up
