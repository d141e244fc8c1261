"""The keys of one guild for the places that LoRA files come from."""

import re
from dataclasses import dataclass, field
from typing import Final

from pipeline.errors import InvalidRequest

# What an HTTP header may carry; anything else is no key.
_KEY: Final = re.compile(r"[\x21-\x7e]{1,512}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKeys:
    """A guild's keys, None where it has none; each is sent to its own source alone, and no text of this object shows
    it.

    InvalidRequest is raised for what cannot be a key, without repeating it.
    """

    civitai: str | None = field(default=None, repr=False)
    hugging_face: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for key in (self.civitai, self.hugging_face):
            if key is not None and not _KEY.fullmatch(key):
                raise InvalidRequest("key", "This key has signs that no key has, or too many; copy it again.")
