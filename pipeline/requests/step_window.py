"""The steps of an image in which a LoRA is active."""

import math
from dataclasses import dataclass

from pipeline.errors import InvalidRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class StepWindow:
    """The steps from `start` up to the one before `stop`; None is the first, or one after the last.

    As sd-webui-lora-block-weight counts them: from 1, and a number between 0 and 1 is a part of the image's steps.
    Raises InvalidRequest.
    """

    start: float | None = None
    stop: float | None = None

    def __post_init__(self) -> None:
        for number in (self.start, self.stop):
            if number is not None and not (math.isfinite(number) and (0 <= number < 1 or number == int(number) > 0)):
                raise InvalidRequest(
                    "lora",
                    f"A LoRA cannot start or stop at step {number:g}; write a step such as 5, or a part such as 0.4.",
                )

    def steps(self, count: int) -> range:
        """The steps of an image that it holds.

        Args:
            count: how many steps are made.

        Returns:
            Numbered from 0.
        """
        first = 0 if self.start is None else max(_number(self.start, count) - 1, 0)
        end = count if self.stop is None else max(_number(self.stop, count) - 1, 0)
        return range(min(first, count), min(end, count))

    def __str__(self) -> str:
        ends = {"start": self.start, "stop": self.stop}
        return ":".join(f"{name}={number:.10g}" for name, number in ends.items() if number is not None)


def _number(written: float, count: int) -> int:
    """A step, from 1; 0 is before the first."""
    return max(round(written * count), 1) if 0 < written < 1 else int(written)
