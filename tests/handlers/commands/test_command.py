"""What a command's description says of itself."""

from handlers.commands.call import Call
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Option, OptionKind
from handlers.messages.message import Message

ADVANCED = Option(name="width", help="In pixels", advanced=True)
FILE = Option(name="image", help="A picture", kind=OptionKind.FILE)


async def nothing(_call: Call, _context: AppContext) -> Message:
    return Message(headline="nothing")


def command(*options: Option, name: str = "lora add") -> Command:
    return Command(name=name, help="h", example="/e", handler=nothing, options=options)


def test_a_name_of_two_words_is_an_action_of_the_first() -> None:
    assert (command().head, command().action) == ("lora", "add")
    assert (command(name="imagine").head, command(name="imagine").action) == ("imagine", None)


def test_a_file_puts_all_options_in_front() -> None:
    """What was given before a form opens is kept as text, which a file is not."""
    assert command(ADVANCED).has_advanced
    assert not command(ADVANCED, FILE).has_advanced
    assert not command().has_advanced


def test_a_command_needs_the_file_that_is_required() -> None:
    """One that may be left out, or another kind of option that is required, is no such file."""
    required = Option(name="image", help="A picture", kind=OptionKind.FILE, required=True)

    assert command(required).needs_file
    assert not command(FILE, Option(name="name", help="A name", required=True)).needs_file
