"""A workspace's rate limit: Slack's limits are kept, and results never wait for progress."""

import pytest

from bot.slack.rate_limit import RateLimit
from handlers.messages.chat_platform import TryLater
from tests.fakes import FakeClock


async def test_a_tier_is_used_up_to_its_limit_and_not_beyond() -> None:
    """Fifty edits in a minute; the next learns when to come again."""
    clock = FakeClock()
    rate_limit = RateLimit(clock=clock)
    for _ in range(50):
        await rate_limit.turn("chat.update", "C1")

    with pytest.raises(TryLater) as later:
        await rate_limit.turn("chat.update", "C2")
    clock.advance(later.value.seconds)
    await rate_limit.turn("chat.update", "C2")


async def test_channels_do_not_wait_for_each_other() -> None:
    """A message a second is a channel's limit, not the workspace's."""
    rate_limit = RateLimit(clock=FakeClock())
    await rate_limit.turn("chat.postMessage", "C1")
    await rate_limit.turn("chat.postMessage", "C2")

    assert rate_limit._wait("chat.postMessage C1", 1, 1.1) > 0
    assert rate_limit._wait("chat.postMessage C3", 1, 1.1) == 0


async def test_progress_leaves_room_for_results() -> None:
    """When progress has to wait, results still find fifteen turns."""
    clock = FakeClock()
    rate_limit = RateLimit(clock=clock)
    for _ in range(35):
        await rate_limit.turn("chat.update", "C1")

    assert rate_limit._progress_wait() > 0
    for _ in range(15):
        await rate_limit.turn("chat.update", "C1")


async def test_progress_is_spread_evenly() -> None:
    """Two edits that only show progress are some time apart."""
    clock = FakeClock()
    rate_limit = RateLimit(clock=clock)
    await rate_limit.progress_turn()

    assert rate_limit._progress_wait() == pytest.approx(1.5)
    clock.advance(1.5)
    await rate_limit.progress_turn()
