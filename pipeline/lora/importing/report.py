"""What an import says of a LoRA: all that its card in the library shows."""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.families.family import ModelFamily
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.requests.sampling import Sampling

TEXTUAL_INVERSION: Final = "textual inversion"

_TRIGGER_KEYS: Final = ("modelspec.trigger_phrase", "trigger_words", "ss_trigger_words")
# What programs write where they have no word.
_NO_WORD: Final = frozenset({"", "none", "null", "n/a", "-"})
_MAX_TRIGGERS: Final = 8
_MAX_TRIGGER: Final = 80
_MAX_LICENCE: Final = 80
# Mentions, code and `<lora:…>`: what chats and prompts take for commands. Chats escape the rest themselves.
_COMMANDS: Final = str.maketrans("", "", "@<>`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """A textual inversion: `trigger` activates it; `tensors` names a tensor (vectors, width) for each text encoder."""

    trigger: str
    tensors: Mapping[str, str]
    vectors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """An imported file: what it was, and what is stored of it, which is all.

    `layers` of the file's layers were matched, or the file would have been refused; `ranks` are the smallest and
    largest of what is stored as low-rank halves, 0 where nothing is. `sha256` is of the file and `data_sha256` of what
    stands behind its header, by which AUTOMATIC1111 tells LoRAs apart. `sampling` is what a distillation wants.
    `notes` are sentences for the member.
    """

    layout: str
    algorithms: tuple[str, ...]
    family: ModelFamily
    scale_rule: ScaleRule
    layers: int
    ranks: tuple[int, int]
    embeddings: tuple[Embedding, ...]
    trigger_words: tuple[str, ...]
    licence: str | None
    sha256: str
    data_sha256: str
    size: int
    notes: tuple[str, ...]
    sampling: Sampling | None = None

    @property
    def matched(self) -> str:
        """The matched layers in words."""
        return f"{self.layers} of {self.layers}"


def trigger_words(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The words that activate a LoRA, by its trainer's metadata.

    Args:
        metadata: of the file.

    Returns:
        The likeliest first, at most eight, cleaned.
    """
    stated = [word for key in _TRIGGER_KEYS for word in metadata.get(key, "").strip(" []").split(",")]
    return _words(stated) or _words(_frequent_tags(metadata.get("ss_tag_frequency", "")))


def _words(raw: Iterable[str]) -> tuple[str, ...]:
    cleaned = (clean(word, _MAX_TRIGGER).strip("\"' ") for word in raw)
    return tuple(dict.fromkeys(word for word in cleaned if word.casefold() not in _NO_WORD))[:_MAX_TRIGGERS]


def licence(metadata: Mapping[str, str]) -> str | None:
    """The licence that a file states.

    Args:
        metadata: of the file.

    Returns:
        Cleaned; None if it states none.
    """
    return clean(metadata.get("modelspec.license", metadata.get("license", "")), _MAX_LICENCE) or None


def clean(text: str, length: int) -> str:
    """Untrusted text without what a chat, a prompt or a terminal might obey.

    Args:
        text: of any length.
        length: the most characters that are kept.

    Returns:
        On one line.
    """
    visible = "".join(c for c in text.translate(_COMMANDS) if unicodedata.category(c)[0] != "C")
    return " ".join(visible.split())[:length].strip()


def _frequent_tags(text: str) -> list[str]:
    """Tags that half of the most frequent one's images or more have, from kohya's count of them by folder."""
    try:
        folders = json.loads(text)
        counts = Counter[str]()
        for tags in folders.values():
            counts.update({str(tag): int(count) for tag, count in tags.items()})
    except (ValueError, AttributeError, TypeError, RecursionError, OverflowError):
        return []
    most = max(counts.values(), default=0)
    return [tag for tag, count in counts.most_common(_MAX_TRIGGERS) if 2 * count >= most]
