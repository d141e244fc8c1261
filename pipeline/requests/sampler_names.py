"""What other programs call the samplers and spacings: AUTOMATIC1111's name first, then other spellings."""

import re
from collections.abc import Mapping
from typing import Final

SAMPLER_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "euler": ("Euler", "EulerDiscreteScheduler", "EDMEulerScheduler"),
    "euler-a": ("Euler a", "euler_ancestral", "EulerAncestralDiscreteScheduler"),
    "heun": ("Heun", "HeunDiscreteScheduler"),
    "ddim": ("DDIM", "DDIMScheduler"),
    "lcm": ("LCM", "LCMScheduler"),
    "unipc": ("UniPC", "uni_pc", "uni_pc_bh2", "UniPCMultistepScheduler"),
    "dpm++2m": ("DPM++ 2M", "dpmpp_2m", "DPMSolverMultistepScheduler", "EDMDPMSolverMultistepScheduler"),
    "dpm++sde": ("DPM++ SDE", "dpmpp_sde", "dpmpp_sde_gpu", "DPMSolverSDEScheduler"),
    "dpm++2m-sde": ("DPM++ 2M SDE", "dpmpp_2m_sde", "dpmpp_2m_sde_gpu"),
    "dpm++3m-sde": ("DPM++ 3M SDE", "dpmpp_3m_sde", "dpmpp_3m_sde_gpu"),
    "dpm++2s-a": ("DPM++ 2S a", "dpmpp_2s_ancestral", "DPM++ 2S ancestral"),
    "tcd": ("TCD", "TCDScheduler"),
    "deis": ("DEIS", "DEISMultistepScheduler"),
    "pndm": ("PLMS", "PNDM", "PNDMScheduler"),
}
SPACING_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "normal": ("Normal", "Automatic", "Uniform"),
    "karras": ("Karras", "use_karras_sigmas"),
    "exponential": ("Exponential", "use_exponential_sigmas"),
    "beta": ("Beta", "use_beta_sigmas"),
    "sgm-uniform": ("SGM Uniform",),
    "simple": ("Simple",),
    "ays": ("Align Your Steps", "Align Your Steps 11"),
    "trailing": ("Trailing",),
}


def key_of(name: str) -> str:
    """What of a name tells it from others.

    Args:
        name: as anyone spells it.

    Returns:
        Its letters, digits and plus signs, small; diffusers' and ComfyUI's `pp` counts as `++`, and NovelAI's `k_` in
        front as nothing.
    """
    letters = re.sub(r"[^a-z0-9+]", "", name.lower()).replace("dpmpp", "dpm++")
    return re.sub(r"^k(?=euler|dpm|heun)", "", letters)


def split_name(text: str) -> tuple[str, str | None] | None:
    """The sampler and, where the name ends with one, the spacing of a name such as "DPM++ 2M Karras".

    Args:
        text: as anyone spells it.

    Returns:
        The values that a member would type; None for an unknown name.
    """
    key = key_of(text)
    samplers = {key_of(name): value for value, names in SAMPLER_NAMES.items() for name in (value, *names)}
    if key in samplers:
        return samplers[key], None
    endings = {key_of(name): value for value, names in SPACING_NAMES.items() for name in (value, *names)}
    for ending, spacing in endings.items():
        if key.endswith(ending) and (sampler := samplers.get(key.removesuffix(ending))):
            return sampler, spacing
    return None


def spacing_of(text: str) -> str | None:
    """The spacing of a name.

    Args:
        text: as anyone spells it.

    Returns:
        The value that a member would type; None for an unknown name.
    """
    key = key_of(text)
    return next((value for value, names in SPACING_NAMES.items() if key in map(key_of, (value, *names))), None)
