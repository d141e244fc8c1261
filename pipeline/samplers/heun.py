"""Heun's rule: Karras et al., 2022 (arXiv 2206.00364), algorithm 1."""

from pipeline.samplers.call import STAYS, Call, WeightedSum
from pipeline.samplers.ddim import first_order
from pipeline.samplers.noise_level import NoiseLevel
from pipeline.samplers.path import Path


def heun(path: Path) -> list[Call]:
    """A step of Euler's, then the same step again with the mean of the slopes at both ends.

    Args:
        path: to walk.

    Returns:
        Two calls a step, but for a last one to no noise, which has no slope at its end.
    """
    calls: list[Call] = []
    for step, (here, to) in enumerate(path.pairs):
        calls.append(Call(step=step, level=here, after=first_order(here, to), base=STAYS))
        if to.noise:
            calls.append(Call(step=step, level=to, after=_corrected(here, to)))
    return calls


def _corrected(here: NoiseLevel, to: NoiseLevel) -> WeightedSum:
    change = to.sigma - here.sigma
    first, second = change / (2 * here.sigma), change / (2 * to.sigma)
    return WeightedSum(
        latents=second,
        guess=-to.signal * second,
        base=to.signal / here.signal * (1 + first),
        earlier=(-to.signal * first,),
    )
