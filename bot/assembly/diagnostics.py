"""What a platform's diagnostics report to `limner doctor`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One thing that was checked: how it is in words, and what to do where that is not well."""

    words: str
    advice: str = ""
