"""How a command is described once, for every platform to render in its own form."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic

from typing_extensions import TypeVar

from handlers.commands.call import Caller
from handlers.commands.option import Option, OptionKind
from handlers.commands.options import Options
from handlers.messages.message import Message


class Audience(Enum):
    """Who may call a command; a guild's settings may narrow it further."""

    EVERYONE = "everyone"
    ADMINS = "admins"


OptionsT = TypeVar("OptionsT", bound=Options, default=Any)

# The last argument is the AppContext, which lists the commands and so stands above them.
Handler = Callable[[Caller, OptionsT, Any], Awaitable[Message]]
Check = Callable[[Caller, OptionsT, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Generic[OptionsT]):
    """A command: its words, the options that it takes, who may call it, and the handler that answers.

    `options` are those of `takes` as platforms show them.

    A `name` of two words, "lora add", is an action of the group /lora; a group's own `actions` are filled in
    `handlers.commands.groups` alone. `check` refuses a call, by a UserError, before its files are fetched. `private`
    says that the answer is for the caller alone, which some platforms must know before they ask; `notes` are what
    `/help` adds to the options.
    """

    name: str
    help: str
    example: str
    takes: type[OptionsT]
    handler: Handler[OptionsT]
    check: Check[OptionsT] | None = None
    audience: Audience = Audience.EVERYONE
    private: bool = False
    notes: tuple[str, ...] = ()
    actions: tuple["Command", ...] = ()
    options: tuple[Option, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", self.takes.described())

    @property
    def head(self) -> str:
        """The first word of its name."""
        return self.name.partition(" ")[0]

    @property
    def action(self) -> str | None:
        """The second word of its name, or None."""
        return self.name.partition(" ")[2] or None

    @property
    def has_advanced(self) -> bool:
        """Whether some of the options stand behind a form where there is one.

        What was given before such a form opens is kept as text, which a file is not: then all options stand in front.
        """
        kinds = {option.kind for option in self.options}
        return OptionKind.FILE not in kinds and any(option.advanced for option in self.options)

    @property
    def needs_file(self) -> bool:
        """Whether it cannot do without a file."""
        return any(option.required and option.kind is OptionKind.FILE for option in self.options)

    def option(self, name: str) -> Option | None:
        """The option called `name`, or None."""
        return next((option for option in self.options if option.name == name), None)

    @property
    def rest(self) -> Option | None:
        """The option that takes free text, if the command has one."""
        return next((option for option in self.options if option.rest), None)
