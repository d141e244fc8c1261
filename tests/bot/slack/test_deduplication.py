"""A payload that Slack sends again is heard once by a process."""

from bot.slack.deduplication import PayloadDeduplication
from tests.fakes import FakeClock


def test_a_payload_is_new_once_in_a_process(clock: FakeClock) -> None:
    """By its own id, for as long as Slack repeats it; one without an id is always new."""
    process = PayloadDeduplication(clock=clock)

    assert process.is_new({"event_id": "E1"})
    assert not process.is_new({"event_id": "E1"})
    assert process.is_new({"trigger_id": "T1"})
    assert all(process.is_new({}) for _ in range(2))
    clock.advance(900)
    assert process.is_new({"event_id": "E1"})


def test_what_came_to_nothing_is_new_when_it_comes_again(clock: FakeClock) -> None:
    """Slack sends again what was not acknowledged."""
    process = PayloadDeduplication(clock=clock)
    assert process.is_new({"event_id": "E1"})

    process.forget({"event_id": "E1"})
    process.forget({})

    assert process.is_new({"event_id": "E1"})
