"""From raw values to an answer: the way that every platform takes for every command."""

from collections.abc import Mapping
from dataclasses import replace

from handlers.commands.arguments import Arguments, Value
from handlers.commands.attachments import OfferedFile
from handlers.commands.call import Call, Caller, Member
from handlers.commands.command import Audience, Command
from handlers.commands.context import AppContext
from handlers.commands.permissions import NotAllowed, check_role
from handlers.messages.message import Message
from pipeline.errors import InvalidRequest, UserError
from storage.guilds.guilds import GuildSettings


async def answer(command: Command, raw: Mapping[str, Value], caller: Caller, context: AppContext) -> Message:
    """Call `command` with `raw` values (text or native) for `caller`; raises UserError.

    Files that are offered are taken in last, when nothing else can be refused before the handler is called.
    """
    check_audience(command, caller.member)
    check_role(caller.guild, caller.member, command.name)
    arguments = Arguments.check(command, raw)
    private = caller.reply.private or answers_privately(command, arguments.switch("private"), caller.guild.settings)
    call = Call(
        guild=caller.guild, member=caller.member, arguments=arguments, reply=replace(caller.reply, private=private)
    )
    if command.check is not None:
        await command.check(call, context)
    return await command.handler(replace(call, arguments=await _with_files(arguments, context)), context)


async def _with_files(arguments: Arguments, context: AppContext) -> Arguments:
    """The arguments with each file in the blob store; raises InvalidRequest."""
    values: list[tuple[str, Value]] = []
    for name, value in arguments.values:
        if isinstance(value, OfferedFile):
            try:
                values.append((name, await value.take(context.blobs, context.max_upload_bytes)))
            except UserError as error:
                raise InvalidRequest(name, str(error)) from error
        else:
            values.append((name, value))
    return Arguments(tuple(values))


def check_audience(command: Command, member: Member) -> None:
    """Keep the admins' commands to admins; raises NotAllowed."""
    if command.audience is Audience.ADMINS and not member.is_admin:
        raise NotAllowed(f"/{command.name} is for the admins of this server.")


def answers_privately(command: Command, chosen: bool | None, settings: GuildSettings) -> bool:
    """Whether the answer is for the caller alone: by the command, by its `private` option, or as the guild wants it."""
    if command.private or command.option("private") is None:
        return command.private
    return settings.private_by_default if chosen is None else chosen
