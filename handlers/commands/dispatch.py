"""From raw values to an answer: the way that every platform takes for every command."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol, runtime_checkable

from handlers.commands.arguments import Value, read_options
from handlers.commands.attachments import OfferedFile
from handlers.commands.call import Caller, Member
from handlers.commands.command import Audience, Command
from handlers.commands.context import AppContext
from handlers.commands.options import Options
from handlers.commands.permissions import NotAllowed, check_role
from handlers.messages.message import Message
from pipeline.errors import InvalidRequest, UserError
from storage.errors import StorageError
from storage.guilds.guilds import GuildSettings


async def answer(command: Command, raw: Mapping[str, Value], caller: Caller, context: AppContext) -> Message:
    """Call `command` with `raw` values (text or native) for `caller`; raises UserError.

    Files that are offered are taken in last, when nothing else can be refused before the handler is called. A member's
    commands take turns, so that who sends many at once waits for their own.
    """
    async with context.calls_at_once.turn(("/".join(caller.share),)):
        return await _answer(command, raw, caller, context)


async def _answer(command: Command, raw: Mapping[str, Value], caller: Caller, context: AppContext) -> Message:
    check_audience(command, caller.member)
    check_role(caller.guild, caller.member, command.name)
    options = read_options(command, raw)
    private = caller.reply.private or answers_privately(command, options, caller.guild.settings)
    caller = replace(caller, reply=replace(caller.reply, private=private))
    if command.check is not None:
        await command.check(caller, options, context)
    options = read_options(command, await _with_files(raw, context))
    return await command.handler(caller, options, context)


async def _with_files(raw: Mapping[str, Value], context: AppContext) -> dict[str, Value]:
    """The values with each file in the blob store; raises InvalidRequest."""
    values = dict(raw)
    for name, value in raw.items():
        if isinstance(value, OfferedFile):
            try:
                values[name] = await value.take(context.blobs, context.max_upload_bytes)
            except StorageError:
                raise
            except UserError as error:
                raise InvalidRequest(name, str(error)) from error
    return values


def check_audience(command: Command, member: Member) -> None:
    """Keep the admins' commands to admins; raises NotAllowed."""
    if command.audience is Audience.ADMINS and not member.is_admin:
        raise NotAllowed(f"/{command.name} is for the admins of this server.")


@runtime_checkable
class _MayBePrivate(Protocol):
    """Options of which one says whether the answer is for the caller alone."""

    @property
    def private(self) -> bool | None:
        """What the caller said of it."""


def answers_privately(command: Command, options: Options, settings: GuildSettings) -> bool:
    """Whether the answer is for the caller alone: by the command, by its `private` option, or as the guild wants it."""
    if command.private or not isinstance(options, _MayBePrivate):
        return command.private
    return settings.private_by_default if options.private is None else options.private
