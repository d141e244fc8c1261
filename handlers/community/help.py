"""/help: what one can do here."""

from dataclasses import dataclass
from typing import Annotated, Final

from handlers.commands.call import Caller
from handlers.commands.command import Audience, Command
from handlers.commands.context import AppContext
from handlers.commands.groups import heads
from handlers.commands.option import Completion, Details, Option, OptionKind
from handlers.commands.options import Options
from handlers.messages.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpOptions(Options):
    """The options of /help."""

    command: Annotated[str | None, Details("The command to explain", rest=True, completion=Completion.COMMANDS)] = None


async def help_(caller: Caller, options: HelpOptions, context: AppContext) -> Message:
    """All commands in a line each, or one command with its options."""
    if options.command:
        command = context.command(options.command)
        return await command.handler(caller, command.takes(), context) if command.actions else _one(command)
    everything = heads(context.commands)
    shown = [command for command in everything if command.audience is Audience.EVERYONE or caller.member.is_admin]
    lines = [f"/{command.name}: {command.help}" for command in shown]
    if [facts.name for facts in context.models] == ["pocket"]:
        lines.append("No model is set, so pictures come from the small built-in model. An admin can choose one.")
    return Message(headline="What you can do here", lines=tuple(lines), private=True)


def _one(command: Command) -> Message:
    lines = [f"For example: {command.example}", *(_option_line(option) for option in command.options), *command.notes]
    return Message(headline=f"/{command.name}: {command.help}", lines=tuple(lines), private=True)


def _option_line(option: Option) -> str:
    name = option.name if option.rest else " or ".join(f"--{flag}" for flag in option.flags)
    match option.kind:
        case OptionKind.CHOICE:
            values = f" ({', '.join(option.choices)})"
        case OptionKind.INTEGER | OptionKind.NUMBER:
            values = f" ({option.range_text})"
        case (
            OptionKind.TEXT
            | OptionKind.SWITCH
            | OptionKind.CHANNEL
            | OptionKind.ROLE
            | OptionKind.MEMBER
            | OptionKind.FILE
        ):
            values = ""
    return f"{name}: {option.help}{values}"


COMMAND: Final = Command(
    name="help",
    help="What you can do here",
    example="/help imagine",
    takes=HelpOptions,
    handler=help_,
    private=True,
)
