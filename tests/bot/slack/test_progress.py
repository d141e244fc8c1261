"""A workspace's progress: the newest state wins, and nothing is drawn over a result."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from bot.slack.progress import WorkspaceProgress
from handlers.messages.chat_platform import TryLater, Undeliverable
from handlers.messages.message import Message
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress

ADDRESS = ReplyAddress(platform=Platform.SLACK, channel_id="C1", user_id="U1", tenant="T1")


@dataclass(slots=True)
class Wall:
    """Where states are drawn when the test lets them; `refusal` is raised by the next."""

    drawn: list[tuple[int, str]] = field(default_factory=list)
    may_draw: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    refusal: Exception | None = None

    async def turn(self) -> None:
        """Every state has its turn at once."""

    async def draw(self, job_id: int, address: ReplyAddress, message: Message) -> None:
        assert address == ADDRESS
        self.begun.set()
        await self.may_draw.wait()
        if self.refusal is not None:
            refusal, self.refusal = self.refusal, None
            raise refusal
        self.drawn.append((job_id, message.headline))


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
async def board(wall: Wall) -> AsyncIterator[WorkspaceProgress]:
    board = WorkspaceProgress(draw=wall.draw, turn=wall.turn)
    yield board
    await board.close()


async def test_of_many_states_only_the_newest_is_drawn(board: WorkspaceProgress, wall: Wall) -> None:
    """What is old when its turn comes is left out; every job keeps its place in the line."""
    for step in range(5):
        board.show(1, ADDRESS, Message(headline=f"step {step}"))
        board.show(2, ADDRESS, Message(headline=f"other {step}"))
    wall.may_draw.set()
    await _idle(board)

    assert wall.drawn == [(1, "step 4"), (2, "other 4")]


async def test_an_end_waits_for_what_is_being_drawn(board: WorkspaceProgress, wall: Wall) -> None:
    """Else an edit that is on its way would arrive after the result."""
    board.show(1, ADDRESS, Message(headline="step 1"))
    await wall.begun.wait()
    ending = asyncio.create_task(board.end(1))
    await asyncio.sleep(0)
    assert not ending.done()
    wall.may_draw.set()
    await ending

    assert wall.drawn == [(1, "step 1")]


async def test_a_state_that_was_read_before_the_end_is_not_drawn_after_it(board: WorkspaceProgress, wall: Wall) -> None:
    """Delivery and progress run side by side; the image stays."""
    wall.may_draw.set()
    await board.end(1)
    board.show(1, ADDRESS, Message(headline="step 39"))
    board.show(2, ADDRESS, Message(headline="other"))
    await _idle(board)

    assert wall.drawn == [(2, "other")]


@pytest.mark.parametrize("refusal", [TryLater(5, "busy"), Undeliverable("closed"), RuntimeError("a bug")])
async def test_a_state_that_fails_stops_no_other(board: WorkspaceProgress, wall: Wall, refusal: Exception) -> None:
    """Progress is worth little: it is logged and left."""
    wall.refusal = refusal
    wall.may_draw.set()
    board.show(1, ADDRESS, Message(headline="lost"))
    board.show(2, ADDRESS, Message(headline="drawn"))
    await _idle(board)

    assert wall.drawn == [(2, "drawn")]


async def _idle(board: WorkspaceProgress) -> None:
    assert board._drawer is not None
    await board._drawer
