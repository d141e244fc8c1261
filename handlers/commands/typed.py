"""What may be typed at all: text of a length that somebody could have written, without characters that are none."""

from typing import Final

from pipeline.errors import NO_TEXT, InvalidRequest, check_text
from pipeline.requests.image_request import MAX_PROMPT_LENGTH

MAX_LINE: Final = 10_000
"""The most characters of a command with all its options; Discord takes 6,000."""

MAX_VALUE: Final = MAX_PROMPT_LENGTH
"""The most characters of one option: nothing is longer than a prompt."""

MAX_NUMBER: Final = 2**53
"""The largest whole number that every platform can hand over exactly."""

_MAX_NAME: Final = 255


def check_typed(text: str, field: str = "text", limit: int = MAX_LINE) -> None:
    """Refuse what no parser should see; raises InvalidRequest about `field`, which quotes nothing of it."""
    if (length := len(text.strip())) > limit:
        raise InvalidRequest(field, f"The {field} has {length} characters; the limit is {limit}.")
    check_text(field, text)


def is_typed(text: str) -> bool:
    """Whether `check_typed` lets the text pass."""
    try:
        check_typed(text)
    except InvalidRequest:
        return False
    return True


def file_name(name: str) -> str:
    """A file's name as it can be shown and stored: without what is no text, and not longer than disks allow."""
    return NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", name)[-_MAX_NAME:]
