"""Who somebody is in a workspace, asked of Slack and remembered for a few minutes."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from slack_sdk.errors import SlackApiError

from bot.slack.visit import Visit
from bot.slack.workspaces import Workspaces
from handlers.call import Member

_log = logging.getLogger(__name__)

_REMEMBER_SECONDS: Final = 300.0
_FORGET_ABOVE: Final = 10_000


@dataclass(slots=True, kw_only=True)
class Members:
    """Slack keeps no permissions for commands: an admin is who `users.info` calls an admin or an owner."""

    workspaces: Workspaces
    clock: Callable[[], float] = time.monotonic
    _known: dict[tuple[str, str], tuple[float, Member]] = field(default_factory=dict)

    async def member(self, visit: Visit) -> Member:
        """The visitor; somebody of whom Slack tells nothing is no admin."""
        key = (visit.tenant.team_id, visit.user_id)
        asked_at, member = self._known.get(key, (float("-inf"), None))
        if member is None or self.clock() - asked_at > _REMEMBER_SECONDS:
            member = await self._ask(visit)
            if len(self._known) > _FORGET_ABOVE:
                self._known.clear()
            self._known[key] = (self.clock(), member)
        return member

    async def _ask(self, visit: Visit) -> Member:
        client = await self.workspaces.client(visit.tenant)
        try:
            user = (await client.users_info(user=visit.user_id))["user"]
        except SlackApiError as error:
            _log.warning("users.info failed in %s: %s", visit.tenant.team_id, error.response.get("error"))
            return Member(id=visit.user_id, name=visit.user_name)
        is_admin = bool(user.get("is_admin") or user.get("is_owner"))
        return Member(id=visit.user_id, name=user.get("name") or visit.user_name, is_admin=is_admin)
