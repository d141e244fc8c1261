"""Who may do what: channels, roles, ownership, and who passes them all."""

from dataclasses import replace

import pytest

from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.commands.permissions import NotAllowed, check_permission, check_role, may_manage, with_rights
from storage.guilds.guilds import Guild, GuildSettings
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress
from tests.new_jobs import new_job

ADA = Member(id="ada", name="Ada")
PAINTER = replace(ADA, roles=("members", "painters"))
ADMIN = replace(ADA, is_admin=True)


def with_settings(guild: Guild, **settings: object) -> Guild:
    return replace(guild, settings=GuildSettings(**settings))  # type: ignore[arg-type]  # tests name fields freely


def a_call(guild: Guild, member: Member, channel: str = "general") -> Caller:
    address = ReplyAddress(platform=Platform.TERMINAL, channel_id=channel, user_id=member.id)
    return Caller(guild=guild, member=member, reply=address)


def test_a_role_is_asked_for_and_admins_pass(guild: Guild) -> None:
    """One of those that the command names is enough; other commands ask for none."""
    asking = with_settings(guild, command_roles=(("lora add", ("curators", "painters")),))

    with pytest.raises(NotAllowed, match="/lora add needs a role that you do not have"):
        check_role(asking, ADA, "lora add")
    check_role(asking, PAINTER, "lora add")
    check_role(asking, ADMIN, "lora add")
    check_role(asking, ADA, "lora list")
    check_role(asking, ADA, "lora")


def test_the_role_of_a_group_is_asked_for_all_its_actions(guild: Guild) -> None:
    """Beside that of the action, and the sentence names the one that is missing."""
    asking = with_settings(guild, command_roles=(("lora", ("members",)), ("lora add", ("curators",))))

    with pytest.raises(NotAllowed, match="/lora needs a role"):
        check_role(asking, ADA, "lora list")
    check_role(asking, PAINTER, "lora list")
    with pytest.raises(NotAllowed, match="/lora add needs a role"):
        check_role(asking, PAINTER, "lora add")
    check_role(asking, replace(ADA, roles=("members", "curators")), "lora add")
    check_role(asking, ADMIN, "lora add")


def test_images_are_asked_for_in_the_allowed_channels_alone(guild: Guild) -> None:
    """Everywhere while none is named; by admins everywhere, without a role as well."""
    strict = with_settings(guild, allowed_channels=("art", "lab"), command_roles=(("imagine", ("painters",)),))

    check_permission(a_call(strict, PAINTER, "lab"), "imagine")
    with pytest.raises(NotAllowed, match="not made in this channel"):
        check_permission(a_call(strict, PAINTER), "imagine")
    with pytest.raises(NotAllowed, match="/imagine needs a role"):
        check_permission(a_call(strict, ADA, "art"), "imagine")
    check_permission(a_call(strict, ADMIN), "imagine")
    check_permission(a_call(guild, ADA), "imagine")


def test_no_channels_rule_applies_in_direct_messages(guild: Guild) -> None:
    """A result came there, and its buttons work; the role is asked for all the same."""
    settings = {"allowed_channels": ("art",), "command_roles": (("imagine", ("artists",)),)}
    direct = replace(a_call(with_settings(guild, **settings), Member(id="ann", name="Ann"), "D1"), direct=True)

    with pytest.raises(NotAllowed, match="needs a role"):
        check_permission(direct, "imagine")
    check_permission(replace(direct, member=replace(direct.member, roles=("artists",))), "imagine")


async def test_a_job_is_its_owners_and_theirs_who_keep_order(context: AppContext, guild: Guild) -> None:
    """Nobody else's, whatever their roles."""
    job = await context.queue.enqueue(new_job(guild.id, "bob"))

    assert may_manage(Member(id="bob", name="Bob"), job)
    assert may_manage(ADMIN, job)
    assert may_manage(replace(ADA, manages_messages=True), job)
    assert not may_manage(PAINTER, job)


def test_an_admin_is_one_by_the_platform_or_by_another_admin() -> None:
    """Who is named here is one here; nobody loses what the platform gave them."""
    settings = GuildSettings(admins=("ada",))

    assert with_rights(ADA, settings) == ADMIN
    assert with_rights(Member(id="bob", name="Bob"), settings) == Member(id="bob", name="Bob")
    assert with_rights(ADMIN, GuildSettings()) == ADMIN
