"""What a denoiser call costs a device, as measured: the source of batch limits and of predictions. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# A larger batch delays everyone in it by a longer step, so it must be worth at least this much.
_WORTH: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCost:
    """One denoiser call of `rows` rows at a size in pixels took `seconds` of a device."""

    model: str
    width: int
    height: int
    rows: int
    seconds: float

    @property
    def pixels(self) -> int:
        """The area of one image."""
        return self.width * self.height

    @property
    def row_seconds(self) -> float:
        """The share of one row."""
        return self.seconds / self.rows


def best_rows(costs: Sequence[StepCost], pixels: int) -> int | None:
    """How many rows a call should have at most: the fewest that come near the best cost a row.

    Args:
        costs: what was measured, of any sizes.
        pixels: the area of an image; the measured size that is nearest to it counts.

    Returns:
        The number of rows; None if nothing was measured.
    """
    near = sorted(_nearest(costs, pixels), key=lambda cost: cost.rows)
    best: StepCost | None = None
    for cost in near:
        if best is None or cost.row_seconds < _WORTH * best.row_seconds:
            best = cost
    return best.rows if best else None


def predict_row_seconds(costs: Sequence[StepCost], pixels: int) -> float | None:
    """What a step will cost a request that is by itself.

    Args:
        costs: what was measured, of any sizes.
        pixels: the area of an image; the cost is scaled by it from the nearest measured size.

    Returns:
        Seconds for one row's step; None if nothing was measured.
    """
    near = sorted(_nearest(costs, pixels), key=lambda cost: abs(cost.rows - 2))
    return near[0].row_seconds * pixels / near[0].pixels if near else None


def _nearest(costs: Sequence[StepCost], pixels: int) -> list[StepCost]:
    def distance(cost: StepCost) -> float:
        return max(cost.pixels, pixels) / min(cost.pixels, pixels)

    nearest = min(map(distance, costs), default=0.0)
    return [cost for cost in costs if distance(cost) == nearest]
