"""UniPC: Zhao et al., 2023 (arXiv 2302.04867), which corrects each step with the guess of the next call."""

from collections.abc import Sequence
from math import expm1, factorial

import numpy as np
import numpy.typing as npt

from pipeline.samplers.call import STAYS, Call, WeightedSum
from pipeline.samplers.path import Path


def unipc(path: Path) -> list[Call]:
    """Each call corrects the step that led to it, and predicts the next one from there.

    Args:
        path: to walk.

    Returns:
        A call a step.
    """
    calls: list[Call] = []
    highest = int(path.options.get("solver_order") or 2)
    lowers = bool(path.options.get("lower_order_final", True))
    corrected, order = STAYS, 0
    for step, (here, _) in enumerate(path.pairs):
        if step:
            kept = step - 1 in (path.options.get("disable_corrector") or ())
            corrected = STAYS if kept else _step(path, step - 1, order, corrects=True)
        left = len(path.pairs) - step if lowers or not path.levels[-1].noise else highest
        order = min(highest, step + 1, left)
        predicted = _step(path, step, order, corrects=False)
        calls.append(Call(step=step, level=here, after=_composed(predicted, corrected), base=corrected))
    return calls


def _step(path: Path, step: int, order: int, *, corrects: bool) -> WeightedSum:
    """One step as a sum of `base`, where it begins, and guesses, the latest first: of the level at its end where it
    `corrects`, else of the one at its beginning.
    """
    here, to = path.levels[step], path.levels[step + 1]
    length = to.log_snr - here.log_snr
    share = -to.signal * expm1(-length)
    ratios = [(path.levels[step - back].log_snr - here.log_snr) / length for back in range(1, order)]
    weights = _weights(ratios, length, path.options.get("solver_type") == "bh1", corrects=corrects)
    scale = -to.signal * (-length if path.options.get("solver_type") == "bh1" else expm1(-length))
    slopes = [
        scale * weight / ratio for weight, ratio in zip(weights, [*ratios, 1.0] if corrects else ratios, strict=True)
    ]
    end = [slopes.pop()] if corrects else []
    guesses = [*end, share - sum((*slopes, *end)), *slopes]
    return WeightedSum(base=to.noise / here.noise, guess=guesses[0], earlier=tuple(guesses[1:]))


def _weights(ratios: Sequence[float], length: float, plain: bool, *, corrects: bool) -> list[float]:
    """How much the slope towards each guess counts: those of `ratios`, then that of the step's end."""
    order = len(ratios) + 1
    if order == 1:
        return [0.5] if corrects else []
    if order == 2 and not corrects:
        return [0.5]
    size = order if corrects else order - 1
    powers: npt.NDArray[np.float64] = np.vander([*ratios, 1.0], order, increasing=True).T
    scale = -length if plain else expm1(-length)
    phi, sides = expm1(-length) / -length - 1, []
    for power in range(1, order + 1):
        sides.append(phi * factorial(power) / scale)
        phi = phi / -length - 1 / factorial(power + 1)
    solved: list[float] = np.linalg.solve(powers[:size, :size], np.array(sides[:size])).tolist()
    return solved


def _composed(predicted: WeightedSum, corrected: WeightedSum) -> WeightedSum:
    """The prediction, from where the correction puts the latents."""
    begin = predicted.base
    longest = max(len(predicted.earlier), len(corrected.earlier))
    return WeightedSum(
        latents=begin * corrected.latents,
        base=begin * corrected.base,
        guess=predicted.guess + begin * corrected.guess,
        earlier=tuple(
            own + begin * other
            for own, other in zip(_filled(predicted.earlier, longest), _filled(corrected.earlier, longest), strict=True)
        ),
    )


def _filled(weights: Sequence[float], length: int) -> tuple[float, ...]:
    return (*weights, *[0.0] * (length - len(weights)))
