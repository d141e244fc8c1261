"""A payload that Slack sends again is handled once, in this process and across processes."""

from bot.slack.deduplication import PayloadDeduplication
from handlers.commands.context import AppContext
from tests.fakes import FakeClock


def _process(context: AppContext, clock: FakeClock) -> PayloadDeduplication:
    return PayloadDeduplication(stored=context.clicks, clock=clock)


async def test_a_payload_is_new_once_in_a_process(context: AppContext, clock: FakeClock) -> None:
    """By its own id, for as long as Slack repeats it; one without an id is always new."""
    process = _process(context, clock)

    assert process.is_new({"event_id": "E1"})
    assert not process.is_new({"event_id": "E1"})
    assert process.is_new({"trigger_id": "T1"})
    assert all(process.is_new({}) for _ in range(2))
    clock.advance(900)
    assert process.is_new({"event_id": "E1"})


async def test_of_two_processes_one_is_first(context: AppContext, clock: FakeClock) -> None:
    """Slack may send a repetition to another process."""
    first, second = _process(context, clock), _process(context, clock)

    assert await first.is_first({"event_id": "E1"})
    assert not await second.is_first({"event_id": "E1"})
    assert await second.is_first({})
