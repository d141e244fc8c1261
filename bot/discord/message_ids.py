"""The ids of the messages that hold one result, as a text stored with it: 64 characters hold four of them."""

import base64
from collections.abc import Sequence
from typing import Final

_MAX_TEXT: Final = 64


def posted_text(message_ids: Sequence[str]) -> str:
    """The first id as it is and the others shortened, as many as fit."""
    first, *rest = message_ids
    words = [first]
    for message_id in rest:
        short = base64.urlsafe_b64encode(int(message_id).to_bytes(8)).decode().rstrip("=")
        if len(" ".join([*words, short])) <= _MAX_TEXT:
            words.append(short)
    return " ".join(words)


def posted_ids(text: str) -> tuple[str, ...]:
    """The ids in a text of `posted_text`; none in any other text."""
    first, *rest = text.split() or [""]
    try:
        return (first, *(str(int.from_bytes(base64.urlsafe_b64decode(f"{word}="))) for word in rest))
    except ValueError:
        return ()
