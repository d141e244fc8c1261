"""DPM-Solver++ over several steps: Lu et al., 2022 (arXiv 2211.01095), and its SDEs as k-diffusion solves them."""

from math import exp, expm1, sqrt

from pipeline.samplers.call import Call, WeightedSum
from pipeline.samplers.path import Path


def dpmpp_2m(path: Path) -> list[Call]:
    """The guess is extrapolated along a line through the last two.

    Args:
        path: to walk.

    Returns:
        A call a step.
    """
    return _second_order(path, noisy=False)


def dpmpp_2m_sde(path: Path) -> list[Call]:
    """As `dpmpp_2m`, with noise taken out twice as fast and half of it put back.

    Args:
        path: to walk.

    Returns:
        A call a step.
    """
    return _second_order(path, noisy=True)


def _second_order(path: Path, *, noisy: bool) -> list[Call]:
    calls: list[Call] = []
    for step, (here, to) in enumerate(path.pairs):
        length = to.log_snr - here.log_snr
        taken = 2 * length if noisy else length
        share = -to.signal * expm1(-taken)
        slope = 0.0
        if step and not path.ends_low(step):
            ratio = (here.log_snr - path.levels[step - 1].log_snr) / length
            heun = path.options.get("solver_type") == "heun"
            slope = (to.signal * (expm1(-taken) / taken + 1) if heun else share / 2) / ratio
        after = WeightedSum(
            latents=to.noise / here.noise * (exp(-length) if noisy else 1.0),
            guess=share + slope,
            noise=to.noise * sqrt(-expm1(-2 * length)) if noisy else 0.0,
            earlier=(-slope,),
        )
        calls.append(Call(step=step, level=here, after=after))
    return calls


def dpmpp_3m_sde(path: Path) -> list[Call]:
    """The same SDE, with the guess extrapolated along a parabola through the last three.

    Args:
        path: to walk.

    Returns:
        A call a step.
    """
    calls: list[Call] = []
    for step, (here, to) in enumerate(path.pairs):
        length = to.log_snr - here.log_snr
        changes = _third_order(path, step, length) if step and to.noise and length else (0.0, 0.0, 0.0)
        first, *earlier = (to.signal * change for change in changes)
        after = WeightedSum(
            latents=to.noise / here.noise * exp(-length),
            guess=first - to.signal * expm1(-2 * length),
            noise=to.noise * sqrt(-expm1(-2 * length)),
            earlier=tuple(earlier),
        )
        calls.append(Call(step=step, level=here, after=after))
    return calls


def _third_order(path: Path, step: int, length: float) -> tuple[float, float, float]:
    """By how much the last three guesses weigh more than the latest one alone; by the last two in the second step."""
    here, before = path.levels[step], path.levels[step - 1]
    second = expm1(-2 * length) / (2 * length) + 1
    near = (here.log_snr - before.log_snr) / length
    if step == 1:
        return second / near, -second / near, 0.0
    third = second / (2 * length) - 0.5
    far = (before.log_snr - path.levels[step - 2].log_snr) / length
    # The slope of the parabola here, and its bend; each is made of the slopes between the guesses.
    bend = 1 / (near + far)
    of_near, of_far = second * (1 + near * bend) - third * bend, (third - second * near) * bend
    return of_near / near, of_far / far - of_near / near, -of_far / far
