"""How long a text may be, and what can be said of that before a model's tokenizers see it. No torch: chats ask too."""

import re
import unicodedata
from math import ceil
from typing import Final

from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import ImageRequest
from pipeline.text.prompt_schedule import texts_by_step
from pipeline.text.prompt_weights import plain_text, read_weights

MAX_WINDOWS: Final = 8
"""About 600 tokens; every window costs the UNet its keys and values once more."""

_WINDOW_TOKENS: Final = 75
# What CLIP's tokenizers cut a text into first; none of them makes less than a token of such a piece.
_PIECES: Final = re.compile(
    r"<\|(?:start|end)oftext\|>|'(?:s|t|re|ve|m|ll|d)|[^\W\d_]+|\d|(?:[^\s\w]|_)+", re.IGNORECASE
)


def texts_of(request: ImageRequest, *, guided: bool) -> dict[str, tuple[str, ...]]:
    """The texts that a request is conditioned on.

    Args:
        request: one image.
        guided: whether it has an unconditional row; without one its negative prompt does not count.

    Returns:
        By what they are called in an error, each different one that a step has.

    Raises:
        InvalidRequest: there are too many.
    """
    prompts, negatives = (tuple(dict.fromkeys(texts)) for texts in zip(*texts_by_step(request), strict=True))
    return {"prompt": prompts} | ({"negative prompt": negatives} if guided else {})


def check_texts(request: ImageRequest) -> None:
    """Refuse texts that no device would take.

    Args:
        request: its texts at every step count.

    Raises:
        InvalidRequest: there are too many, or one has a weight that is none.
    """
    for field, texts in texts_of(request, guided=request.guided).items():
        for text in texts:
            read_weights(text, field)


def check_windows(windows: int, field: str, *, at_least: bool = False) -> None:
    """Check that a text takes no more windows than there may be.

    Args:
        windows: of the text.
        field: what the text is called in the error.
        at_least: whether there may be more.

    Raises:
        InvalidRequest: it takes more than MAX_WINDOWS.
    """
    if windows > MAX_WINDOWS:
        count = f"at least {windows}" if at_least else f"{windows}"
        raise InvalidRequest(
            field,
            f"The {field} takes {count} windows of {_WINDOW_TOKENS} tokens; "
            f"shorten it to {MAX_WINDOWS}, about 450 words.",
        )


def check_lengths(request: ImageRequest) -> None:
    """Refuse a text that is too long for every tokenizer; what is close to the limit only the model's own can tell.

    Args:
        request: with LoRAs it is not judged: a word that one teaches may take fewer tokens than its letters.

    Raises:
        InvalidRequest: names the text.
    """
    if request.loras:
        return
    for field, texts in texts_of(request, guided=request.guided).items():
        for text in texts:
            words = unicodedata.normalize("NFC", plain_text(read_weights(text, field)))
            check_windows(ceil(len(_PIECES.findall(words)) / _WINDOW_TOKENS), field, at_least=True)
