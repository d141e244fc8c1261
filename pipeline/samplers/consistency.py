"""The rules of models that were distilled to guess the image at once: LCM and TCD."""

from math import floor, sqrt
from typing import Final

from pipeline.samplers.call import Call, WeightedSum
from pipeline.samplers.path import Path

_SIGMA_DATA: Final = 0.5
_GAMMA: Final = 0.3


def lcm(path: Path) -> list[Call]:
    """Latent consistency models (Luo et al., 2023; arXiv 2310.04378): the image is guessed, then noised again.

    Args:
        path: to walk.

    Returns:
        A call a step.
    """
    calls: list[Call] = []
    for step, (here, to) in enumerate(path.pairs):
        scaled = here.timestep * path.options["timestep_scaling"]
        skip = _SIGMA_DATA**2 / (scaled**2 + _SIGMA_DATA**2)
        out = scaled / sqrt(scaled**2 + _SIGMA_DATA**2)
        after = WeightedSum(latents=to.signal * skip, guess=to.signal * out, noise=to.noise)
        calls.append(Call(step=step, level=here, after=after))
    return calls


def tcd(path: Path) -> list[Call]:
    """Trajectory consistency (Zheng et al., 2024; arXiv 2402.19159), algorithm 4: along the trajectory to below the
    next level, then up to it with noise; gamma is diffusers' own.

    Args:
        path: to walk.

    Returns:
        A call a step.
    """
    calls: list[Call] = []
    for step, (here, to) in enumerate(path.pairs):
        below = path.table.at(floor((1 - _GAMMA) * to.timestep))
        ratio = below.noise / here.noise
        guess = below.signal - here.signal * ratio
        # The last step stays where the trajectory leads.
        up = 1.0 if step == len(path.pairs) - 1 else to.signal / below.signal
        after = WeightedSum(latents=ratio * up, guess=guess * up, noise=sqrt(max(0.0, 1 - up**2)))
        calls.append(Call(step=step, level=here, after=after))
    return calls
