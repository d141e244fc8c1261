"""What may be typed at all: text of a length that somebody could have written, without characters that are none."""

import re
from typing import Final

from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import MAX_PROMPT_LENGTH

MAX_LINE: Final = 10_000
"""The most characters of a command with all its options; Discord takes 6,000."""

MAX_VALUE: Final = MAX_PROMPT_LENGTH
"""The most characters of one option: nothing is longer than a prompt."""

MAX_NUMBER: Final = 2**53
"""The largest whole number that every platform can hand over exactly."""

_MAX_NAME: Final = 255

# Control characters that are no white space, and halves of surrogate pairs, which no encoding can write.
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")


def check_typed(text: str, field: str = "text", limit: int = MAX_LINE) -> None:
    """Refuse what no parser should see; raises InvalidRequest about `field`, which quotes nothing of it."""
    if (length := len(text.strip())) > limit:
        raise InvalidRequest(field, f"The {field} has {length} characters; the limit is {limit}.")
    if found := _NO_TEXT.search(text):
        raise InvalidRequest(
            field, f"The {field} holds a character that is no text (U+{ord(found[0]):04X}); write it without that."
        )


def is_typed(text: str) -> bool:
    """Whether `check_typed` lets the text pass."""
    try:
        check_typed(text)
    except InvalidRequest:
        return False
    return True


def file_name(name: str) -> str:
    """A file's name as it can be shown and stored: without what is no text, and not longer than disks allow."""
    return _NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", name)[-_MAX_NAME:]
