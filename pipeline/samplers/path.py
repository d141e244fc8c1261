"""The noise levels that a walk goes through, from its first to after its last step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from pipeline.samplers.noise_level import NoiseLevel
from pipeline.samplers.noise_table import NoiseTable

_FEW_STEPS: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """What a sampler's rule is computed from.

    `levels` are one more than the steps that are walked, `steps` is into how many the whole way is divided; `table` has
    the levels between; `options` are the scheduler's, by diffusers' names.
    """

    levels: Sequence[NoiseLevel]
    steps: int
    table: NoiseTable
    options: Mapping[str, Any]

    @property
    def prediction(self) -> str:
        """What the denoiser answers, by diffusers' name: `epsilon`, `v_prediction` or `sample`."""
        return str(self.options["prediction_type"])

    @property
    def pairs(self) -> list[tuple[NoiseLevel, NoiseLevel]]:
        """The levels before and after each step."""
        return list(pairwise(self.levels))

    @property
    def lowers_few(self) -> bool:
        """Whether the order goes down towards the end of a walk of few steps, which is less exact and more stable."""
        return self.steps < _FEW_STEPS and bool(self.options.get("lower_order_final", True))

    def ends_low(self, step: int) -> bool:
        """Whether a step is the last one and not to be extrapolated over: to no noise, one of few, or of no length.

        Args:
            step: its number, from 0.

        Returns:
            Whether it is to be of first order.
        """
        *_, here, to = self.levels
        last = step == len(self.levels) - 2
        asked = self.lowers_few or bool(self.options.get("euler_at_final"))
        return last and (asked or not to.noise or to.sigma >= here.sigma)
