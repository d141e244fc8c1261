"""Which rule each sampler walks by."""

from collections.abc import Callable, Mapping
from typing import Final

from pipeline.requests.image_request import Scheduler
from pipeline.samplers.call import Call
from pipeline.samplers.consistency import lcm, tcd
from pipeline.samplers.ddim import ddim
from pipeline.samplers.deis import deis
from pipeline.samplers.dpmpp_multistep import dpmpp_2m, dpmpp_2m_sde, dpmpp_3m_sde
from pipeline.samplers.dpmpp_singlestep import dpmpp_2s_a, dpmpp_sde
from pipeline.samplers.heun import heun
from pipeline.samplers.noise_level import NoiseLevel
from pipeline.samplers.path import Path
from pipeline.samplers.plms import plms
from pipeline.samplers.unipc import unipc

RULES: Final[Mapping[Scheduler, Callable[[Path], list[Call]]]] = {
    Scheduler.HEUN: heun,
    Scheduler.DDIM: ddim,
    Scheduler.LCM: lcm,
    Scheduler.UNIPC: unipc,
    Scheduler.DPMPP_2M: dpmpp_2m,
    Scheduler.DPMPP_SDE: dpmpp_sde,
    Scheduler.DPMPP_2M_SDE: dpmpp_2m_sde,
    Scheduler.DPMPP_3M_SDE: dpmpp_3m_sde,
    Scheduler.DPMPP_2S_A: dpmpp_2s_a,
    Scheduler.TCD: tcd,
    Scheduler.DEIS: deis,
    Scheduler.PNDM: plms,
}
"""All but Euler's two, whose walks are taken together (`euler.py`) and in units of the signal."""


def guess_of(kind: Scheduler, level: NoiseLevel, prediction: str) -> tuple[float, float]:
    """What a rule reckons with: PLMS with the denoiser's answer itself, DEIS with the noise, the others with the image.

    Args:
        kind: the sampler.
        level: of the latents.
        prediction: what the denoiser answers, by diffusers' name.

    Returns:
        The weights of the latents and of the answer.
    """
    match kind:
        case Scheduler.PNDM:
            return 0.0, 1.0
        case Scheduler.DEIS:
            return level.noise_of(prediction)
        case _:
            return level.image_of(prediction)
