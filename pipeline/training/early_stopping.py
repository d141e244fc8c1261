"""When to stop: the loss on inputs that never change, until it has settled."""

from dataclasses import dataclass, field
from statistics import pvariance
from typing import Final

_WINDOW: Final = 6
_STILL: Final = 0.15


@dataclass(slots=True, kw_only=True)
class EarlyStopping:
    """The losses on fixed inputs so far, after Voronov et al., 2023 ("Is This Loss Informative?"; arXiv 2302.04841).

    Noise, timesteps and prompts are the same each time, so that what is left of the loss's movement is learning. It has
    settled when the latest losses vary less than 0.15 of all.
    """

    losses: list[float] = field(default_factory=list)

    @property
    def settled(self) -> bool:
        """Whether training on would change little."""
        if len(self.losses) < 2 * _WINDOW:
            return False
        return pvariance(self.losses[-_WINDOW:]) < _STILL * pvariance(self.losses)

    @property
    def settling(self) -> bool:
        """Whether the end is near enough to tell."""
        recent = self.losses[-_WINDOW:]
        return len(self.losses) >= _WINDOW and pvariance(recent) < 2 * _STILL * pvariance(self.losses)
