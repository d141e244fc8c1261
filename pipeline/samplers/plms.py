"""PLMS, the pseudo linear multistep rule of PNDM: Liu et al., 2022 (arXiv 2202.09778), eq. 9 to 12."""

from collections.abc import Mapping
from typing import Final

from pipeline.samplers.call import STAYS, Call, WeightedSum
from pipeline.samplers.noise_level import NoiseLevel
from pipeline.samplers.path import Path

# Adams and Bashforth's weights for so many answers, the latest first.
_WEIGHTS: Final[Mapping[int, tuple[float, ...]]] = {
    1: (1.0,),
    2: (3 / 2, -1 / 2),
    3: (23 / 12, -16 / 12, 5 / 12),
    4: (55 / 24, -59 / 24, 37 / 24, -9 / 24),
}


def plms(path: Path) -> list[Call]:
    """Steps along a mean of the denoiser's last four answers; the first one is made twice, to have a second answer.

    Args:
        path: to walk.

    Returns:
        A call a step, and one more for the first step where there are several.
    """
    calls: list[Call] = []
    for step, (here, to) in enumerate(path.pairs):
        weights = _WEIGHTS[min(step + 1, 4)]
        latents, answer = _transfer(here, to, path.prediction)
        first, *earlier = (answer * weight for weight in weights)
        after = WeightedSum(latents=latents, guess=first, earlier=tuple(earlier))
        calls.append(Call(step=step, level=here, after=after, base=None if step else STAYS))
        if step == 0 and len(path.pairs) > 1:
            again = WeightedSum(base=latents, guess=answer / 2, earlier=(answer / 2,))
            calls.append(Call(step=step, level=to, after=again, remembered=False))
    return calls


def _transfer(here: NoiseLevel, to: NoiseLevel, prediction: str) -> tuple[float, float]:
    """The weights of the latents and of the answer in a step of DDIM's."""
    scale = to.signal / here.signal
    change = to.noise - here.noise * scale
    own, answered = here.noise_of(prediction)
    return scale + change * own, change * answered
