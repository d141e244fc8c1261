"""The errors that a person can mend; every other exception is ours and is logged with its traceback."""

import math


class UserError(Exception):
    """One clear sentence that says what happened and what to do; shown to the person as it is."""


class InvalidRequest(UserError):
    """A request breaks a limit; `field` names the part that does, the text names the limit."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def check_range(field: str, value: float, low: float, high: float) -> None:
    """Raise InvalidRequest, naming the limits, unless `value` is a number from `low` to `high`."""
    if not (math.isfinite(value) and low <= value <= high):
        raise InvalidRequest(field, f"{field} is {value:g}; use {low:g} to {high:g}.")
