"""Links to messages, built from one that Slack gave for the workspace: a call for each link would cost its limit."""

import logging
from dataclasses import dataclass, field

from slack_sdk.errors import SlackApiError

from bot.slack.client import RateLimitedClient
from bot.slack.errors import code_of
from bot.slack.message_ids import MessageId
from bot.slack.tenant import Tenant
from storage.queue.key_values import KeyValues

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permalinks:
    """Knows the address before `/archives/` of each tenant, kept in the database."""

    notes: KeyValues
    _origins: dict[str, str] = field(default_factory=dict)

    async def origin(self, client: RateLimitedClient, tenant: Tenant, sample: MessageId) -> str | None:
        """The address of the tenant's messages, asked once by one of them; None where Slack does not say."""
        name = f"slack links of {tenant.text}"
        origin = self._origins.get(name) or await self.notes.get(name)
        if origin is None:
            try:
                answer = await client.chat_getPermalink(channel=sample.channel, message_ts=sample.ts)
            except SlackApiError as error:
                _log.info("no links for %s: %s", tenant.text, code_of(error))
                return None
            origin, _, _ = str(answer["permalink"]).partition("/archives/")
            await self.notes.put(name, origin)
        self._origins[name] = origin
        return origin


def permalink(origin: str, place: MessageId, thread_id: str | None) -> str:
    """The link to a message, in a thread or not."""
    link = f"{origin}/archives/{place.channel}/p{place.ts.replace('.', '')}"
    return link if thread_id is None else f"{link}?thread_ts={thread_id}&cid={place.channel}"
