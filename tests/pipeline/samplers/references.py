"""diffusers' schedulers, set up to walk as our samplers do."""

from collections.abc import Mapping
from typing import Any, Final

from pipeline.requests.image_request import Scheduler
from pipeline.requests.spacing import Spacing
from pipeline.samplers.spacing import SCHEDULER_CLASSES

WITHOUT: Final = frozenset({Scheduler.DPMPP_SDE, Scheduler.DPMPP_2S_A, Scheduler.DPMPP_3M_SDE})
"""Those that diffusers has not; its third order for SDEs has another sign than the series that it is made of."""

DIFFUSERS: Final = tuple(kind for kind in Scheduler if kind not in WITHOUT)
_FLAGS: Final[dict[Spacing, dict[str, Any]]] = {
    Spacing.NORMAL: {},
    Spacing.KARRAS: {"use_karras_sigmas": True},
    Spacing.EXPONENTIAL: {"use_exponential_sigmas": True},
    Spacing.TRAILING: {"timestep_spacing": "trailing"},
}


def scheduler_of(kind: Scheduler, config: Mapping[str, Any], spacing: Spacing = Spacing.NORMAL) -> Any:
    """The scheduler that walks as `kind` does, before its steps are set; only for spacings that it has itself."""
    own = {**config, **_FLAGS[spacing]}
    match kind:
        case Scheduler.DPMPP_2M_SDE:
            own |= {"algorithm_type": "sde-dpmsolver++"}
        case Scheduler.DDIM:
            own |= {"set_alpha_to_one": True}
        case Scheduler.PNDM:
            own |= {"skip_prk_steps": True}
        case _:
            pass
    return SCHEDULER_CLASSES[kind].from_config(own)


def eta_of(kind: Scheduler) -> dict[str, float]:
    """What a pipeline is told so that it leaves TCD's gamma as it is, in whose place it would put DDIM's eta."""
    return {"eta": 0.3} if kind is Scheduler.TCD else {}
