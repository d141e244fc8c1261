"""The steps of an image in which a LoRA is active, or guidance."""

import math
import re
from dataclasses import dataclass
from typing import Final

from pipeline.errors import InvalidRequest
from pipeline.requests.decimal_text import decimal_text

_SPAN: Final = re.compile(r"\s*(0|0?\.\d{1,10}|[1-9]\d{0,2})\s*-\s*(0?\.\d{1,10}|[1-9]\d{0,2})\s*", re.ASCII)


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

    @classmethod
    def parse(cls, text: str, field: str) -> "StepWindow":
        """A window as `span` writes it: `0.2-0.8` in parts of the steps, `5-20` in steps.

        Args:
            text: as it was typed; as an end, 1 is all of the steps.
            field: what it is called in the error.

        Returns:
            The window.

        Raises:
            InvalidRequest: it is none, or holds no step.
        """
        match = _SPAN.fullmatch(text)
        start, stop = (float(number) for number in match.groups()) if match else (1.0, 0.0)
        whole = stop == 1 and start < 1
        if (start < stop and (start < 1) == (stop < 1)) or whole:
            return cls(start=start, stop=None if whole else stop)
        raise InvalidRequest(
            field, f"{field} '{text:.40}' is unclear; write parts of the steps such as 0.2-0.8, or steps such as 5-20."
        )

    @property
    def span(self) -> str:
        """As `parse` reads it."""
        return f"{decimal_text(self.start or 0)}-{decimal_text(1 if self.stop is None else self.stop)}"

    def __str__(self) -> str:
        ends = {"start": self.start, "stop": self.stop}
        return ":".join(f"{name}={decimal_text(number)}" for name, number in ends.items() if number is not None)


def _number(written: float, count: int) -> int:
    """A step, from 1; 0 is before the first."""
    return max(round(written * count), 1) if 0 < written < 1 else int(written)
