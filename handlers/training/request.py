"""What a member wants learnt, as the job's row keeps it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from handlers.jobs.payloads import Codec


class ConceptKind(StrEnum):
    """What the images have in common."""

    SUBJECT = "subject"
    STYLE = "style"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainFile:
    """A file that was handed over: the key of its bytes, and the member's name for it."""

    blob: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOrder:
    """A LoRA to be learnt from `files` for `model`; `key` names its canonical file to come.

    `class_word` says what a subject is, "dog"; a style has none. `left_out` are the numbers, from 1, of images that
    the member does not want learnt. A `retrain` takes the place of the member's subject of that name.
    """

    key: str
    name: str
    concept: ConceptKind
    class_word: str
    model: str
    files: tuple[TrainFile, ...]
    private: bool = False
    left_out: tuple[int, ...] = ()
    retrain: bool = False

    @property
    def title(self) -> str:
        """What is learnt, in words."""
        return f"{self.name}, a {self.class_word}" if self.concept is ConceptKind.SUBJECT else f"{self.name}, a style"


TRAINING: Final = Codec(TrainOrder)
