"""FreeU's four factors: Si et al., 2023 (arXiv 2309.11497)."""

import re
from dataclasses import dataclass, fields, replace
from typing import Final

from pipeline.errors import InvalidRequest, check_range

MIN_FACTOR: Final = 0.05
MAX_FACTOR: Final = 3.0

_FACTOR: Final = re.compile(r"(b1|b2|s1|s2)\s*[=:]\s*(\d{1,2}(?:\.\d{0,10})?|\.\d{1,10})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeU:
    """How much more the backbone counts (`b1`, `b2`), and how much less the coarse part of what skips it (`s1`, `s2`),
    in the first and the second block of the way up. Raises InvalidRequest.
    """

    b1: float
    b2: float
    s1: float
    s2: float

    def __post_init__(self) -> None:
        for name, factor in self.factors.items():
            check_range(f"freeu {name}", factor, MIN_FACTOR, MAX_FACTOR)

    @classmethod
    def parse(cls, text: str, usual: "FreeU") -> "FreeU":
        """Read what a member wrote.

        Args:
            text: "on", or factors such as "b1=1.3 s1=0.9".
            usual: has those that are not named.

        Returns:
            The factors.

        Raises:
            InvalidRequest: it is neither, or a factor is outside its limits.
        """
        if text.strip().lower() == "on":
            return usual
        words = text.replace(",", " ").split()
        matches = [_FACTOR.fullmatch(word) for word in words]
        named = {match[1].lower(): float(match[2]) for match in matches if match}
        if not words or len(named) < len(words):
            raise InvalidRequest("freeu", f"freeu '{text:.60}' is unclear; write on, or factors such as {usual}.")
        return replace(usual, **named)

    @property
    def factors(self) -> dict[str, float]:
        """The four by their names."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __str__(self) -> str:
        return " ".join(f"{name}={factor:.10g}" for name, factor in self.factors.items())
