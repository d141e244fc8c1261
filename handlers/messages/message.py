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
    AGAIN = "again"
    VARY_SUBTLE = "vary-subtle"
    VARY_STRONG = "vary-strong"
    UPSCALE = "upscale"
    EDIT = "edit"
    INFO = "info"
    SAVE = "save"
    DELETE = "delete"
    CALL = "call"
    USE_MAP = "use-map"
    SOFTER = "softer"
    STRONGER = "stronger"
    OWN_MAP = "own-map"
    SAME_CONTROL = "same-control"
    TRAIN = "train"
    LEAVE_OUT = "leave-out"
    CLASS_WORD = "class-word"
    PICK = "pick"


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A button that survives restarts: what it does and to what; who clicks is checked again on each click.

    `target` is the id of a job, or of a saved call for Verb.CALL; `index` is the image within the job.
    `handlers.buttons` writes and reads the id that a platform keeps.
    """

    verb: Verb
    target: int
    index: int = 0
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
class ShownImage:
    """An image in a message: its encoded bytes, a file name without folders, a text for those who cannot see it.

    `spoiler` hides it until it is clicked.
    """

    data: bytes
    file_name: str
    alt_text: str
    spoiler: bool = False


class PointedKind(Enum):
    """What an id of the platform's stands for."""

    CHANNEL = "channel"
    ROLE = "role"
    MEMBER = "member"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointers:
    """Things of the platform by their ids, which it shows by their names; `label` says what they are here."""

    label: str
    kind: PointedKind
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that is no image: its bytes and a name without folders."""

    data: bytes
    file_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message: a headline, sentences below it, a bar, images, buttons and a small closing line.

    All text is plain: it may hold untrusted words, and each platform escapes it in its own way. `code` is text to
    be copied, shown as it is. `private` is for the caller alone; `mentions` tells the one who asked that it is there.
    """

    headline: str
    mood: Mood = Mood.CALM
    lines: tuple[str, ...] = ()
    pointers: tuple[Pointers, ...] = ()
    code: str = ""
    bar: Bar | None = None
    images: tuple[ShownImage, ...] = ()
    files: tuple[Attachment, ...] = ()
    buttons: tuple[tuple[Button, ...], ...] = ()
    footer: str = ""
    private: bool = False
    mentions: bool = False
    job_id: int | None = None
