"""The messages that one result became, in a text that is kept with it: 64 characters hold four of them."""

import base64
from collections.abc import Sequence
from typing import Final

_MAX_TEXT: Final = 64


def posted_text(message_ids: Sequence[str]) -> str:
    """The first id as it is, the others shorter; as many as there is room for."""
    first, *rest = message_ids
    words = [first]
    for message_id in rest:
        short = base64.urlsafe_b64encode(int(message_id).to_bytes(8)).decode().rstrip("=")
        if len(" ".join([*words, short])) <= _MAX_TEXT:
            words.append(short)
    return " ".join(words)


def posted_ids(text: str) -> tuple[str, ...]:
    """The ids that `posted_text` wrote; none in a text that is not one of its own."""
    first, *rest = text.split() or [""]
    try:
        return (first, *(str(int.from_bytes(base64.urlsafe_b64decode(f"{word}="))) for word in rest))
    except ValueError:
        return ()
