"""Uploads that are not shown yet: kept in the database, asked for ever less often, given up after hours."""

import pytest

from bot.slack.pending_uploads import PendingUpload, PendingUploads
from handlers.commands.context import AppContext
from tests.fakes import FakeClock


@pytest.fixture
def pending(context: AppContext, clock: FakeClock) -> PendingUploads:
    return PendingUploads(notes=context.notes, clock=clock)


async def test_another_process_finds_what_was_uploaded(pending: PendingUploads, context: AppContext) -> None:
    """By the nonce of the reply, until that is settled."""
    await pending.put("n1", ("F1", "F2"))
    other = PendingUploads(notes=context.notes)

    assert await other.get("n1") == PendingUpload(files=("F1", "F2"), at=1_000_000.0)
    assert await other.get("n2") is None
    await other.drop("n1")
    assert await pending.get("n1") is None


async def test_slack_is_asked_ever_less_often(pending: PendingUploads, clock: FakeClock) -> None:
    """From seconds to minutes, for six hours."""
    upload = await pending.put("n1", ("F1",))
    waits = []
    for seconds in (1, 60, 3600, 6 * 3600):
        clock.advance(seconds)
        waits.append(pending.wait(upload))

    assert waits == [4.0, 30.5, 300.0, None]


async def test_what_slack_lost_is_uploaded_again_twice(pending: PendingUploads) -> None:
    """A file that is gone a third time will not stay."""
    again = []
    for _ in range(3):
        await pending.put("n1", ("F1",))
        again.append(await pending.lose("n1"))

    assert again == [True, True, False]
    assert (await pending.get("n1")) == PendingUpload(files=(), at=1_000_000.0, uploads=3)
