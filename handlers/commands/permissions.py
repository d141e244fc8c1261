"""Who may do what in a guild."""

from dataclasses import replace

from handlers.commands.call import Caller, Member
from pipeline.errors import UserError
from storage.guilds.guilds import Guild, GuildSettings
from storage.queue.jobs import Job


class NotAllowed(UserError):
    """The guild's settings, or plain ownership, say no."""


def with_rights(member: Member, settings: GuildSettings) -> Member:
    """The member, an admin also where one of the guild's admins made them one."""
    return replace(member, is_admin=True) if member.id in settings.admins else member


def check_permission(caller: Caller, command: str) -> None:
    """Hold the caller to the guild's allowed channels and roles; admins pass. Raises NotAllowed."""
    if caller.member.is_admin:
        return
    settings = caller.guild.settings
    elsewhere = not caller.direct and caller.reply.channel_id not in settings.allowed_channels
    if settings.allowed_channels and elsewhere:
        raise NotAllowed("Pictures are not made in this channel; ask in one that the admins allowed.")
    check_role(caller.guild, caller.member, command)


def check_role(guild: Guild, member: Member, command: str) -> None:
    """Hold the member to the roles that `command` and its group ask for; admins pass. Raises NotAllowed."""
    for name in dict.fromkeys((command.partition(" ")[0], command)):
        roles = guild.settings.roles_for(name)
        if roles and not member.is_admin and not set(roles) & set(member.roles):
            raise NotAllowed(f"/{name} needs a role that you do not have; ask an admin of this server.")


def may_manage(member: Member, job: Job) -> bool:
    """Whether `member` may cancel or delete what `job` makes: its owner may, and who manages the guild's messages."""
    return member.is_admin or member.manages_messages or job.member_id == member.id
