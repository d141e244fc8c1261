"""A member at a terminal: types commands, sees answers, gets pictures."""

import asyncio
import getpass
from dataclasses import dataclass

from bot.assembly import Workshop
from bot.terminal.chat_platform import TerminalPlatform
from handlers.answer import answer
from handlers.arguments import Value
from handlers.call import Caller, Member
from handlers.command import Command
from handlers.message import Message, Mood
from handlers.studio import Studio
from handlers.text_call import parse_text
from pipeline.errors import UserError
from storage.guilds import Guild, Platform
from storage.replies import ReplyAddress

_GUILD = "local"
_CHANNEL = "terminal"
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalSession:
    """The one guild and the one member of this terminal, who is its admin."""

    studio: Studio
    chat: TerminalPlatform
    guild: Guild
    member: Member

    @classmethod
    async def open(cls, workshop: Workshop, chat: TerminalPlatform) -> "TerminalSession":
        """Find or make the terminal's guild."""
        guild = await workshop.studio.guilds.ensure(Platform.TERMINAL, _GUILD, "this terminal")
        user = getpass.getuser()
        member = Member(id=user, name=user, is_admin=True)
        return cls(studio=workshop.studio, chat=chat, guild=guild, member=member)

    async def run_line(self, line: str) -> None:
        """Run one typed line, `/command …` or just a prompt, and show what it answers."""
        name, _, text = line.strip().partition(" ")
        if not name.startswith("/"):
            name, text = "/imagine", line.strip()
        try:
            command = self.studio.command(name.removeprefix("/").casefold())
            message = await self.call(command, parse_text(command, text))
        except UserError as error:
            message = Message(headline=str(error), mood=Mood.FAILED)
        if message.job_id is None:
            self.chat.screen.show(message)
        else:
            self.chat.screen.show_running(message)

    async def call(self, command: Command, raw: dict[str, Value] | dict[str, str]) -> Message:
        """Call `command` with raw values, as the member; raises UserError."""
        guild = await self.studio.guilds.get(self.guild.id)
        caller = Caller(guild=guild or self.guild, member=self.member, reply=self.address())
        return await answer(command, raw, caller, self.studio)

    def address(self) -> ReplyAddress:
        """Where answers to this terminal go."""
        return ReplyAddress(platform=Platform.TERMINAL, channel_id=_CHANNEL, user_id=self.member.id)

    async def wait_until_delivered(self) -> None:
        """Until nothing of this terminal is queued, running or unposted."""
        while await self.studio.outbox.unsettled(Platform.TERMINAL):  # noqa: ASYNC110 - another process may deliver
            await asyncio.sleep(_POLL_SECONDS)
