"""The errors that a person can mend; every other exception is ours and is logged with its traceback."""

import re
from typing import Final

NO_TEXT: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
"""Control characters that are no white space, and halves of surrogate pairs, which no encoding can write."""

_MOST_SHOWN: Final = 1e300

_ADDRESS: Final = re.compile(
    r"[^\s'\"(]+:\d{2,5}/[^\s'\",;)]+"  # a database: host:port/name
    r"|(?<![\w.:-])(?:\[[0-9a-fA-F:.]+\]|localhost|[\w-]+(?:\.[\w-]+)+):\d{2,5}(?![\w.])"
    r"|(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])"
)
_QUOTED: Final = re.compile(r"(['\"])~?/[^'\"]*?([^'\"/]*)\1")
_PATH: Final = re.compile(r"(?<![\w:/.<])~?(?:/[^\s/'\",;)]+)+/([^\s/'\",;:)]*)")
"""A folder and what lies in it: two names or more, so that a command such as /lora is none."""
_ROOT: Final = re.compile(r"(?<![\w:/.<])/([^\s/'\",;:)]*)")


class UserError(Exception):
    """One clear sentence that says what happened and what to do; shown to the person as it is.

    Attributes:
        passes: whether it may pass without anybody changing a setting, as with a server that is about to start.
    """

    passes: bool = False


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
    # An integer may be too large to be written as a float.
    if not low <= value <= high:
        shown = "far too large" if abs(value) > _MOST_SHOWN else f"{value:g}"
        raise InvalidRequest(field, f"{field} is {shown}; use {low:g} to {high:g}.")


def check_text(field: str, text: str) -> None:
    """Check that a text is one: no control characters but white space, and no halves of surrogate pairs.

    Args:
        field: what the text is, as the person knows it.
        text: from outside.

    Raises:
        InvalidRequest: names the first character that is no text, and quotes nothing.
    """
    if found := NO_TEXT.search(text):
        raise InvalidRequest(
            field, f"The {field} holds a character that is no text (U+{ord(found[0]):04X}); write it without that."
        )


def without_places(text: str, *, commands: bool = True) -> str:
    """A sentence as people may read it who do not run this machine: without its folders, addresses and ports.

    Args:
        text: a sentence of ours, or a library's.
        commands: whether one word behind a slash may be a command, which stays as it is.

    Returns:
        The same, each path by its last name alone.
    """
    text = _PATH.sub(r"\1", _QUOTED.sub(r"\1\2\1", _ADDRESS.sub("its address", text)))
    return text if commands else _ROOT.sub(r"\1", text)
