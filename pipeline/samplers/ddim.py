"""DDIM: Song et al., 2020 (arXiv 2010.02502), eq. 12 without noise of its own."""

from pipeline.samplers.call import Call, WeightedSum
from pipeline.samplers.noise_level import NoiseLevel
from pipeline.samplers.path import Path


def ddim(path: Path) -> list[Call]:
    """The guess of the image, with the guess of the noise as strong as it is at the next level.

    Args:
        path: to walk.

    Returns:
        A call a step.
    """
    calls: list[Call] = []
    for step, (here, to) in enumerate(path.pairs):
        own, answered = here.noise_of(path.prediction)
        # Apart, because a model's config may clip the guess of the image, and not that of the noise.
        after = WeightedSum(latents=to.noise * own, answer=to.noise * answered, guess=to.signal)
        calls.append(Call(step=step, level=here, after=after))
    return calls


def first_order(here: NoiseLevel, to: NoiseLevel) -> WeightedSum:
    """One step by the guess of the image, as Euler's rule makes it too.

    Args:
        here: where the latents are.
        to: where they go.

    Returns:
        Of latents and guess.
    """
    ratio = to.noise / here.noise
    return WeightedSum(latents=ratio, guess=to.signal - here.signal * ratio)
