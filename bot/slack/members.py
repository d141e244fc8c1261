"""Who somebody is in a workspace, asked of Slack and remembered for a few minutes."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from slack_sdk.errors import SlackApiError

from bot.slack.errors import code_of
from bot.slack.interaction import Visit
from bot.slack.workspaces import Workspaces
from handlers.commands.call import Member

_log = logging.getLogger(__name__)

_REMEMBER_SECONDS: Final = 300.0
_FORGET_ABOVE: Final = 10_000


@dataclass(slots=True, kw_only=True)
class Members:
    """Slack keeps no permissions for commands: an admin is who `users.info` calls an admin or an owner.

    In the place of roles stand user groups; Slack tells who is in a group, not in which groups somebody is.
    """

    workspaces: Workspaces
    clock: Callable[[], float] = time.monotonic
    _known: dict[tuple[str, str], tuple[float, Member]] = field(default_factory=dict)
    _groups: dict[tuple[str, str], tuple[float, frozenset[str]]] = field(default_factory=dict)

    async def member(self, visit: Visit, groups: Iterable[str] = ()) -> Member:
        """The visitor, with those of `groups` that they are in; of whom Slack tells nothing is no admin."""
        member = await self._member(visit)
        mine = [group for group in sorted(groups) if visit.user_id in await self._users_of(group, visit)]
        return replace(member, roles=tuple(mine)) if mine else member

    async def _member(self, visit: Visit) -> Member:
        key = (visit.tenant.team_id, visit.user_id)
        asked_at, member = self._known.get(key, (float("-inf"), None))
        if member is None or self.clock() - asked_at > _REMEMBER_SECONDS:
            member = await self._ask(visit)
            if len(self._known) > _FORGET_ABOVE:
                self._known.clear()
            self._known[key] = (self.clock(), member)
        return member

    async def _users_of(self, group: str, visit: Visit) -> frozenset[str]:
        """Who is in a user group; nobody where Slack does not tell."""
        key = (visit.tenant.team_id, group)
        asked_at, users = self._groups.get(key, (float("-inf"), frozenset[str]()))
        if self.clock() - asked_at > _REMEMBER_SECONDS:
            users = await self._ask_group(group, visit)
            if len(self._groups) > _FORGET_ABOVE:
                self._groups.clear()
            self._groups[key] = (self.clock(), users)
        return users

    async def _ask_group(self, group: str, visit: Visit) -> frozenset[str]:
        client = await self.workspaces.client(visit.tenant)
        # A token of an organisation speaks for many workspaces, so it must say which.
        team_id = visit.tenant.team_id if visit.tenant.org_id else None
        try:
            return frozenset((await client.usergroups_users_list(usergroup=group, team_id=team_id))["users"])
        except SlackApiError as error:
            code = code_of(error)
            _log.warning("usergroups.users.list failed in %s: %s", visit.tenant.team_id, code)
            return frozenset()

    async def _ask(self, visit: Visit) -> Member:
        client = await self.workspaces.client(visit.tenant)
        try:
            user = (await client.users_info(user=visit.user_id))["user"]
        except SlackApiError as error:
            _log.warning("users.info failed in %s: %s", visit.tenant.team_id, code_of(error))
            return Member(id=visit.user_id, name=visit.user_name)
        is_admin = bool(user.get("is_admin") or user.get("is_owner"))
        return Member(id=visit.user_id, name=user.get("name") or visit.user_name, is_admin=is_admin)
