"""An option of a command, described once for every platform."""

from dataclasses import dataclass, field
from enum import Enum


class OptionKind(Enum):
    """What an option holds; a platform picks its own widget for it."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    CHOICE = "choice"
    SWITCH = "switch"
    CHANNEL = "channel"
    ROLE = "role"
    MEMBER = "member"
    FILE = "file"


class Completion(Enum):
    """Where the suggestions for an option come from: the guild's own things, looked up as the member types."""

    COMMANDS = "commands"
    OPEN_JOBS = "open jobs"
    MODELS = "models"
    LORAS = "loras"
    SUBJECTS = "subjects"
    UPSCALERS = "upscalers"
    VAES = "vaes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What the type of an option does not tell.

    `flag` is its short spelling in text (`--n 4`), `advanced` hides it behind a form where there is one. `rest` marks
    the one option that takes all the text in front of the first flag. One that names an option in `unless` is required
    unless that is given; `flag_only` keeps one out of lists that have room for few; a `secret` one is kept in no
    history of what was typed; one that `repeats` may be given several times, which is as if its values stood together.
    """

    help: str = field(kw_only=False)
    rest: bool = False
    flag: str | None = None
    low: float | None = None
    high: float | None = None
    completion: Completion | None = None
    advanced: bool = False
    unless: str | None = None
    flag_only: bool = False
    secret: bool = False
    repeats: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Option(Details):
    """One option as platforms show it; the members of an enum are `choices` as they are."""

    name: str
    kind: OptionKind = OptionKind.TEXT
    required: bool = False
    choices: tuple[str, ...] = ()

    @property
    def flags(self) -> tuple[str, ...]:
        """Every spelling of the option in text, without dashes."""
        return (self.name,) if self.flag is None else (self.name, self.flag)

    @property
    def range_text(self) -> str:
        """The option's limits in words, for help and errors."""
        match (self.low, self.high):
            case (None, None):
                return "any number"
            case (low, None):
                return f"{low:.10g} or more"
            case (None, high):
                return f"{high:.10g} or less"
            case (low, high):
                return f"{low:.10g} to {high:.10g}"
