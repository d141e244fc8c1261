"""DEIS: Zhang and Chen, 2022 (arXiv 2204.13902), over several steps in the logarithm of sigma."""

from collections.abc import Sequence
from math import exp, log

import numpy as np

from pipeline.samplers.call import Call, WeightedSum
from pipeline.samplers.path import Path


def deis(path: Path) -> list[Call]:
    """The guess of the noise is a polynomial through the last ones, whose integral is exact.

    Args:
        path: to walk; its last level has some noise.

    Returns:
        A call a step.
    """
    calls: list[Call] = []
    order = int(path.options.get("solver_order") or 2)
    for step, (here, to) in enumerate(path.pairs):
        left = len(path.pairs) - step if path.lowers_few else order
        known = [log(path.levels[step - back].sigma) for back in range(min(order, step + 1, left))]
        first, *earlier = (to.signal * each for each in _integrals(known, log(here.sigma), log(to.sigma)))
        after = WeightedSum(latents=to.signal / here.signal, guess=first, earlier=tuple(earlier))
        calls.append(Call(step=step, level=here, after=after))
    return calls


def _integrals(known: Sequence[float], here: float, to: float) -> list[float]:
    """The integral over sigma of each polynomial in its logarithm that is 1 at one of `known` and 0 at the others."""
    integrals = []
    for place, own in enumerate(known):
        others = [other for index, other in enumerate(known) if index != place]
        basis = np.poly1d(np.poly(others) if others else [1.0]) / np.prod([own - other for other in others])
        # Of p(u) exp(u): (p - p' + p'' - ...) exp(u).
        primitive = sum(((-1) ** times * basis.deriv(times) for times in range(len(known))), np.poly1d([0.0]))
        integrals.append(float(primitive(to) * exp(to) - primitive(here) * exp(here)))
    return integrals
