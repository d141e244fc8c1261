"""What the program says, in words: one message that every platform renders in its own form."""

from dataclasses import dataclass
from enum import Enum, StrEnum


class Mood(Enum):
    """What a message is about; a platform may colour it or put a symbol in front."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    CALM = "calm"


class Verb(StrEnum):
    """What a button does; the value is part of button ids, which live for ever."""

    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A button that survives restarts: what it does and to which job; who clicks is checked again on each click."""

    verb: Verb
    job_id: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Progress: `done` of `total` steps."""

    done: int
    total: int

    @property
    def fraction(self) -> float:
        """From 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPicture:
    """A picture in a message: its encoded bytes, a file name without folders, a text for those who cannot see it."""

    data: bytes
    file_name: str
    alt_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message: a headline, sentences below it, a bar, pictures, buttons and a small closing line.

    All text is plain: it may hold a stranger's words, and each platform escapes it in its own way.
    """

    headline: str
    mood: Mood = Mood.CALM
    lines: tuple[str, ...] = ()
    bar: Bar | None = None
    pictures: tuple[ShownPicture, ...] = ()
    buttons: tuple[tuple[Button, ...], ...] = ()
    footer: str = ""
    private: bool = False
    job_id: int | None = None
