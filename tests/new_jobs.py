"""Jobs to enqueue in tests."""

from collections.abc import Awaitable, Callable
from typing import Any

from storage.platform import Platform
from storage.queue.jobs import Job, JobKind, NewJob
from storage.queue.reply_address import ReplyAddress

Enqueue = Callable[..., Awaitable[Job]]


def new_job(guild_id: int, member: str = "ann", units: float = 10.0, **changes: Any) -> NewJob:
    """A job whose unmeasured estimate is a second a unit."""
    values: dict[str, Any] = {
        "guild_id": guild_id, "member_id": member, "member_name": member.title(), "kind": JobKind.IMAGINE,
        "payload": "{}", "cost_key": "pocket", "cost_units": units,
        "reply": ReplyAddress(platform=Platform.DISCORD, channel_id="c1", user_id=member),
    }  # fmt: skip
    return NewJob(**{**values, **changes})
