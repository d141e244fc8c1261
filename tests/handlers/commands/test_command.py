"""What a command's description says of itself."""

from dataclasses import dataclass
from typing import Annotated

from handlers.commands.attachments import AttachedFile
from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Details
from handlers.commands.options import Options
from handlers.messages.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sized(Options):
    width: Annotated[int | None, Details("In pixels", advanced=True)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _SizedImage(_Sized):
    image: Annotated[AttachedFile | None, Details("A picture")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named(Options):
    image: Annotated[AttachedFile | None, Details("A picture")] = None
    name: Annotated[str, Details("A name")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Image(Options):
    image: Annotated[AttachedFile, Details("A picture")]


async def nothing(_caller: Caller, _options: Options, _context: AppContext) -> Message:
    return Message(headline="nothing")


def command(takes: type[Options] = Options, *, name: str = "lora add") -> Command[Options]:
    return Command(name=name, help="h", example="/e", takes=takes, handler=nothing)


def test_a_name_of_two_words_is_an_action_of_the_first() -> None:
    assert (command().head, command().action) == ("lora", "add")
    assert (command(name="imagine").head, command(name="imagine").action) == ("imagine", None)


def test_a_file_puts_all_options_in_front() -> None:
    """What was given before a form opens is kept as text, which a file is not."""
    assert command(_Sized).has_advanced
    assert not command(_SizedImage).has_advanced
    assert not command().has_advanced


def test_a_command_needs_the_file_that_is_required() -> None:
    """One that may be left out, or another kind of option that is required, is no such file."""
    assert command(_Image).needs_file
    assert not command(_Named).needs_file
