"""A workspace's members, asked of Slack and remembered for a few minutes."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from slack_sdk.errors import SlackApiError

from bot.slack.errors import code_of
from bot.slack.interaction import SlackInteraction
from bot.slack.workspaces import Workspaces
from handlers.commands.call import Member

_log = logging.getLogger(__name__)

_REMEMBER_SECONDS: Final = 300.0
_FORGET_ABOVE: Final = 10_000


@dataclass(slots=True, kw_only=True)
class Members:
    """Reads members; Slack has no permissions for commands, so `users.info` says who is an admin or an owner.

    User groups serve as roles; Slack says who is in a group, not in which groups somebody is.
    """

    workspaces: Workspaces
    clock: Callable[[], float] = time.monotonic
    _known: dict[tuple[str, str], tuple[float, Member]] = field(default_factory=dict)
    _groups: dict[tuple[str, str], tuple[float, frozenset[str]]] = field(default_factory=dict)

    async def member(self, interaction: SlackInteraction, groups: Iterable[str] = ()) -> Member:
        """The member, with those of `groups` that they are in; no admin where Slack does not answer."""
        member = await self._member(interaction)
        mine = [group for group in sorted(groups) if interaction.user_id in await self._users_of(group, interaction)]
        return replace(member, roles=tuple(mine)) if mine else member

    async def _member(self, interaction: SlackInteraction) -> Member:
        key = (interaction.tenant.team_id, interaction.user_id)
        asked_at, member = self._known.get(key, (float("-inf"), None))
        if member is None or self.clock() - asked_at > _REMEMBER_SECONDS:
            member = await self._ask(interaction)
            if len(self._known) > _FORGET_ABOVE:
                self._known.clear()
            self._known[key] = (self.clock(), member)
        return member

    async def _users_of(self, group: str, interaction: SlackInteraction) -> frozenset[str]:
        """Who is in a user group; nobody where Slack does not answer."""
        key = (interaction.tenant.team_id, group)
        asked_at, users = self._groups.get(key, (float("-inf"), frozenset[str]()))
        if self.clock() - asked_at > _REMEMBER_SECONDS:
            users = await self._ask_group(group, interaction)
            if len(self._groups) > _FORGET_ABOVE:
                self._groups.clear()
            self._groups[key] = (self.clock(), users)
        return users

    async def _ask_group(self, group: str, interaction: SlackInteraction) -> frozenset[str]:
        client = await self.workspaces.client(interaction.tenant)
        # A token of an organisation speaks for many workspaces, so it must say which.
        team_id = interaction.tenant.team_id if interaction.tenant.org_id else None
        try:
            return frozenset((await client.usergroups_users_list(usergroup=group, team_id=team_id))["users"])
        except SlackApiError as error:
            code = code_of(error)
            _log.warning("usergroups.users.list failed in %s: %s", interaction.tenant.team_id, code)
            return frozenset()

    async def _ask(self, interaction: SlackInteraction) -> Member:
        client = await self.workspaces.client(interaction.tenant)
        try:
            user = (await client.users_info(user=interaction.user_id))["user"]
        except SlackApiError as error:
            _log.warning("users.info failed in %s: %s", interaction.tenant.team_id, code_of(error))
            return Member(id=interaction.user_id, name=interaction.user_name)
        is_admin = bool(user.get("is_admin") or user.get("is_owner")) and not _is_foreign(user, interaction)
        return Member(id=interaction.user_id, name=user.get("name") or interaction.user_name, is_admin=is_admin)


def _is_foreign(user: Mapping[str, Any], interaction: SlackInteraction) -> bool:
    """Whether the member is of another workspace, in a shared channel: who is an admin there is none here."""
    organisation = (user.get("enterprise_user") or {}).get("enterprise_id")
    if interaction.tenant.org_id is not None and organisation == interaction.tenant.org_id:
        return False
    return (
        bool(user.get("is_stranger")) or user.get("team_id", interaction.tenant.team_id) != interaction.tenant.team_id
    )
