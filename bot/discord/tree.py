"""The application commands, built from the descriptions in `handlers`: a new command needs no change here."""

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Final, assert_never

import discord
from discord import app_commands
from discord.app_commands import locale_str

from bot.discord.attachments import Download, offered
from bot.discord.context_menu import add_image_menu
from bot.discord.interactions import DiscordInteractionHandler
from handlers.commands.arguments import Value
from handlers.commands.command import Audience, Command
from handlers.commands.groups import heads
from handlers.commands.option import Option, OptionKind
from pipeline.errors import UserError

_ADVANCED: Final = "advanced"
_MAX_SUGGESTION: Final = 100
_OLD_FORM: Final = "Your Discord sent another form of this command than it has now; reload Discord and type it again."
_CONTEXTS: Final = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=False)
_INSTALLS: Final = app_commands.AppInstallationType(guild=True, user=False)
_POINTED: Final = {
    OptionKind.CHANNEL: discord.TextChannel,
    OptionKind.ROLE: discord.Role,
    OptionKind.MEMBER: discord.User,
}

Interaction = discord.Interaction[Any]
Complete = Callable[[Interaction, str], Coroutine[Any, Any, list[app_commands.Choice[Any]]]]


class LimnerTree(app_commands.CommandTree[Any]):
    """A tree that passes every error of a command to the interaction handler."""

    handler: DiscordInteractionHandler

    async def on_error(self, interaction: Interaction, error: app_commands.AppCommandError) -> None:
        """Tell the member that something went wrong, and log why."""
        if isinstance(error, app_commands.CommandSignatureMismatch | app_commands.CommandNotFound):
            # What a client sends that was opened before an update, or that was changed.
            await self.handler.refuse(interaction, UserError(_OLD_FORM))
            return
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        await report(self.handler, interaction, cause)


async def report(handler: DiscordInteractionHandler, interaction: Interaction, error: BaseException) -> None:
    """Tell the member of an error that nobody expected: in its sentence where it has one, as a disk that is full."""
    if isinstance(error, UserError):
        await handler.refuse(interaction, error)
    else:
        await handler.fault(interaction, error)


def build_tree(client: discord.Client, handler: DiscordInteractionHandler) -> LimnerTree:
    """The tree of all commands and of the context menu of images."""
    tree = LimnerTree(client)
    tree.handler = handler
    for head in heads(handler.context.commands):
        tree.add_command(_group(head, handler) if head.actions else _slash_command(head, handler))
    add_image_menu(tree, handler)
    return tree


def _group(command: Command, handler: DiscordInteractionHandler) -> app_commands.Group:
    """A group with its actions as subcommands, at most 25; Discord checks permissions for the whole group only."""
    group = app_commands.Group(
        name=locale_str(command.name),
        description=locale_str(command.help[:100]),
        allowed_contexts=_CONTEXTS,
        allowed_installs=_INSTALLS,
        default_permissions=_permissions(command),
    )
    for action in command.actions:
        group.add_command(_slash_command(action, handler))
    return group


def _permissions(command: Command) -> discord.Permissions | None:
    return discord.Permissions(manage_guild=True) if command.audience is Audience.ADMINS else None


def _slash_command(command: Command, handler: DiscordInteractionHandler) -> app_commands.Command[Any, ..., None]:
    shown = [
        option for option in command.options if not (option.flag_only or (option.advanced and command.has_advanced))
    ]
    # Discord wants required options first, and keeps the order otherwise.
    shown.sort(key=lambda option: not option.required)
    built: app_commands.Command[Any, ..., None] = app_commands.Command(
        name=locale_str(command.action or command.name),
        description=locale_str(command.help),
        callback=_callback(command, shown, handler),
        allowed_contexts=_CONTEXTS,
        allowed_installs=_INSTALLS,
    )
    built.default_permissions = _permissions(command)
    for option in shown:
        if option.completion is not None:
            built.autocomplete(_identifier(option.name))(_completer(option, handler))
    return built


def _callback(
    command: Command, shown: list[Option], handler: DiscordInteractionHandler
) -> Callable[..., Coroutine[Any, Any, None]]:
    """A function whose signature lists the options, where discord.py reads them."""

    async def run(interaction: Interaction, **values: Any) -> None:
        given = {
            _option_name(name): _native(value, handler.download) for name, value in values.items() if value is not None
        }
        if given.pop(_ADVANCED, False):
            await handler.advanced(interaction, command, given)
        else:
            await handler.command(interaction, command, given)

    parameters = [inspect.Parameter("interaction", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Interaction)]
    parameters += [_parameter(option) for option in shown]
    described = {_identifier(option.name): locale_str(option.help[:100]) for option in shown}
    if command.has_advanced:
        parameters.append(_keyword(_ADVANCED, bool, required=False))
        described[_ADVANCED] = locale_str("Opens a form with more options")
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # inspect's own protocol
    app_commands.describe(**described)(run)
    app_commands.rename(**{_identifier(option.name): locale_str(option.name) for option in shown})(run)
    choices = {
        _identifier(option.name): [app_commands.Choice(name=locale_str(name), value=name) for name in option.choices]
        for option in shown
        if option.kind is OptionKind.CHOICE
    }
    app_commands.choices(**choices)(run)
    return run


def _parameter(option: Option) -> inspect.Parameter:
    return _keyword(_identifier(option.name), _annotation(option), required=option.required)


def _keyword(name: str, annotation: object, *, required: bool) -> inspect.Parameter:
    default = inspect.Parameter.empty if required else None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _annotation(option: Option) -> object:
    """The type that discord.py reads an option's kind, range and choices from."""
    match option.kind:
        case OptionKind.TEXT | OptionKind.CHOICE:
            return str
        case OptionKind.INTEGER:
            return _range(int, option)
        case OptionKind.NUMBER:
            return _range(float, option)
        case OptionKind.SWITCH:
            return bool
        case OptionKind.CHANNEL | OptionKind.ROLE | OptionKind.MEMBER:
            return _POINTED[option.kind]
        case OptionKind.FILE:
            return discord.Attachment
        case _:
            assert_never(option.kind)


def _range(kind: type[int] | type[float], option: Option) -> object:
    """The number with its limits; discord.py wants both of one type, and no range where there is none."""
    low, high = (None if limit is None else kind(limit) for limit in (option.low, option.high))
    return kind if low is None and high is None else app_commands.Range[kind, low, high]


def _native(value: Any, download: Download) -> Value:
    """A value as handlers take it: channels, roles and members by their ids, files to be fetched later."""
    if isinstance(value, discord.Attachment):
        return offered(value, download)
    by_id = isinstance(value, discord.Role | discord.TextChannel | discord.User | discord.Member)
    return str(value.id) if by_id else value


def _identifier(name: str) -> str:
    """An option's name as a parameter's; the last underscore avoids Python's keywords, such as `class`."""
    return f"{name.replace('-', '_')}_"


def _option_name(identifier: str) -> str:
    return identifier.removesuffix("_").replace("_", "-")


def _completer(option: Option, handler: DiscordInteractionHandler) -> Complete:
    async def complete(interaction: Interaction, typed: str) -> list[app_commands.Choice[Any]]:
        found = await handler.suggest(interaction, option, typed)
        return [
            app_commands.Choice(
                name=f"{item.value} · {item.help}"[:_MAX_SUGGESTION],
                value=int(item.value) if option.kind is OptionKind.INTEGER else item.value,
            )
            for item in found
            if len(item.value) <= _MAX_SUGGESTION
        ]

    return complete
