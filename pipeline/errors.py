"""The errors that a person can mend; every other exception is ours and is logged with its traceback."""

import math


class UserError(Exception):
    """One clear sentence that says what happened and what to do; shown to the person as it is."""


class InvalidRequest(UserError):
    """A request breaks a limit.

    Args:
        field: the part of the request that does, by the name of the option that sets it; kept as an attribute.
        sentence: names the limit, for the person.
    """

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def check_range(field: str, value: float, low: float, high: float) -> None:
    """Check that an option is a finite number within its limits, both included.

    Args:
        field: the option's name, as the person knows it.
        value: what the person wrote.
        low: the least that is allowed.
        high: the most that is allowed.

    Raises:
        InvalidRequest: names the option and the limits.
    """
    if not (math.isfinite(value) and low <= value <= high):
        raise InvalidRequest(field, f"{field} is {value:g}; use {low:g} to {high:g}.")
