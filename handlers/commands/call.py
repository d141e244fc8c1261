"""Who calls a command, and where."""

from dataclasses import dataclass

from pipeline.processes.fair_turns import Share
from storage.guilds.guilds import Guild
from storage.queue.reply_address import ReplyAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Who calls: `id` is the platform's own; `roles` are role or group ids that the platform vouches for.

    `manages_messages` says that the platform lets this member delete what others wrote.
    """

    id: str
    name: str
    is_admin: bool = False
    manages_messages: bool = False
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls a command in a guild, and `reply`, where the answer goes.

    `direct` says that they go on in direct messages with what came of the guild: no rule of its channels applies there.
    """

    guild: Guild
    member: Member
    reply: ReplyAddress
    direct: bool = False

    @property
    def share(self) -> Share:
        """By whom fair turns are counted: the guild, and the member in it."""
        return str(self.guild.id), self.member.id
