"""A member at a terminal: types commands, reads answers, gets images."""

import asyncio
import getpass
import logging
import re
from dataclasses import dataclass, replace
from typing import Final, assert_never

from bot.assembly.runtime import Runtime
from bot.terminal.attachments import is_path, offered
from bot.terminal.chat_platform import TerminalPlatform
from handlers.buttons import Press, press
from handlers.commands.actions import AlreadyHeard, Remove, SendDirect
from handlers.commands.arguments import Value
from handlers.commands.call import Caller, Member
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.dispatch import answer
from handlers.commands.form import Form
from handlers.commands.option import OptionKind
from handlers.commands.parsing import parse_text, write_text
from handlers.images.repeated import with_own_parts
from handlers.images.submission import submit
from handlers.messages.message import Message, Mood
from pipeline.errors import UserError
from pipeline.requests.image_request import ImageRequest
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress

_log = logging.getLogger(__name__)

_GUILD: Final = "local"
_APPLICATION: Final = "terminal"
_CHANNEL: Final = "terminal"
_POLL_SECONDS: Final = 0.1
_LINK: Final = "link"
_FILE: Final = "file"
_BUTTON: Final = re.compile(r"#(\d{1,6})")


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalSession:
    """The one guild and the one member of this terminal, who is its admin."""

    context: AppContext
    chat: TerminalPlatform
    guild: Guild
    member: Member

    @classmethod
    async def open(cls, runtime: Runtime, chat: TerminalPlatform) -> "TerminalSession":
        """Find or make the terminal's guild."""
        guild = await runtime.context.guilds.ensure(Platform.TERMINAL, _GUILD, "this terminal")
        await runtime.context.connections.connect(guild.id, _APPLICATION)
        user = getpass.getuser()
        member = Member(id=user, name=user, is_admin=True)
        # The only member takes nobody's turn, so a pipe may be as long as it is, unless a limit was set on purpose.
        limited = "waiting_jobs" in runtime.settings.model_fields_set
        context = runtime.context if limited else replace(runtime.context, most_waiting=None)
        return cls(context=context, chat=chat, guild=guild, member=member)

    async def run_line(self, line: str) -> str:
        """Run one typed line (`/command …`, `#3` for a button, or just a prompt) and show what it answers.

        Returns what the next line should begin with: the command of a form that is to be changed, else nothing.
        """
        try:
            if number := _BUTTON.fullmatch(line.strip()):
                return await self._press(int(number[1]))
            self._show(await self._run_command(line.strip()))
        except UserError as error:
            self._show(Message(headline=str(error), mood=Mood.FAILED))
        except Exception:
            _log.exception("a line failed")
            self._show(Message(headline="Something went wrong here and is in the log; try again.", mood=Mood.FAILED))
        return ""

    async def _run_command(self, line: str) -> Message:
        command, text = self.context.called(line) if line.startswith("/") else (self.context.command("imagine"), line)
        return await self.call(command, parse_text(command, text))

    async def _press(self, number: int) -> str:
        """Press the button shown as `number`."""
        if not 1 <= number <= len(self.chat.screen.buttons):
            raise UserError(f"There is no button #{number}; buttons are shown below a picture.")
        button = self.chat.screen.buttons[number - 1]
        pressed = await press(
            Press(verb=button.verb, target=button.target, index=button.index), await self.caller(), self.context
        )
        match pressed:
            case Message():
                self._show(pressed)
            case Form():
                values = {field.option.name: field.value for field in pressed.fields if field.value}
                return write_text(pressed.command, values)
            case SendDirect():
                await self.chat.deliver(self.address(), pressed.message, nonce="")
            case Remove():
                self._show(Message(headline="Deleted here; the file in the images folder is yours to keep."))
            case AlreadyHeard():
                pass
            case _:
                assert_never(pressed)
        return ""

    def _show(self, message: Message) -> None:
        if message.job_id is None:
            self.chat.screen.show(message, self.chat.keep(message.files))
        else:
            self.chat.screen.show_running(message)

    async def call(self, command: Command, raw: dict[str, Value] | dict[str, str]) -> Message:
        """Call `command` with raw values, as the member, whose files lie on this machine; raises UserError."""
        files = {option.name for option in command.options if option.kind is OptionKind.FILE}
        raw = _with_path(command, raw)
        given: dict[str, Value] = {}
        for name, value in raw.items():
            given[name] = offered(value) if name in files and isinstance(value, str) else value
        return await answer(command, given, await self.caller(), self.context)

    async def repeat(self, request: ImageRequest) -> Message:
        """Ask for exactly `request` again; raises UserError, also where something that it was made with is not here."""
        caller = await self.caller()
        request = await with_own_parts(request, caller, self.context)
        return await submit(caller, self.context, request, self.context.model(request.model))

    async def caller(self) -> Caller:
        """The member, with the guild's settings as they are now."""
        guild = await self.context.guilds.get(self.guild.id)
        return Caller(guild=guild or self.guild, member=self.member, reply=self.address())

    def address(self) -> ReplyAddress:
        """Where answers to this terminal go."""
        return ReplyAddress(
            platform=Platform.TERMINAL, channel_id=_CHANNEL, user_id=self.member.id, age_restricted=True
        )

    async def wait_until_delivered(self) -> None:
        """Wait until no job of this terminal is queued, running or unposted."""
        while await self.context.outbox.unsettled(Platform.TERMINAL):  # noqa: ASYNC110 - another process may deliver
            await asyncio.sleep(_POLL_SECONDS)


def _with_path(command: Command, raw: dict[str, Value] | dict[str, str]) -> dict[str, Value]:
    """The values, with a path that stands where a link belongs as the file that it names."""
    given: dict[str, Value] = dict(raw)
    names = {option.name for option in command.options}
    link = given.get(_LINK)
    if _FILE in names and _FILE not in given and isinstance(link, str) and is_path(link):
        given[_FILE] = given.pop(_LINK)
    return given
