"""A task that fails is begun again, ever more seldom, and is known to fail until it has run for a while."""

import asyncio
import logging

import pytest

from pipeline.supervisor import Supervisor
from tests.eventually import eventually
from tests.fakes import FakeClock


class Failing:
    """Work that raises as often as it is told to, then goes on."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.begun = 0
        self.goes_on = asyncio.Event()
        self.end = asyncio.Event()

    async def __call__(self) -> None:
        self.begun += 1
        if self.left:
            self.left -= 1
            raise OSError(24, "Too many open files")
        self.goes_on.set()
        await self.end.wait()


async def test_a_task_is_begun_again_until_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """The error is in the log once, with its traceback; the one who waits for it notices nothing."""
    work = Failing(3)
    keeping = Supervisor(first_pause=0.001).start("the work", work)

    await work.goes_on.wait()
    work.end.set()
    await keeping

    assert work.begun == 4
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage() for record in errors] == ["the work failed; it is begun again"]
    assert all(record.exc_info for record in errors)


async def test_what_keeps_failing_is_named_until_it_has_recovered(clock: FakeClock) -> None:
    """One error is no trouble yet; recovered is what ran for half a minute since."""
    supervisor = Supervisor(first_pause=0.001, clock=clock)
    once, often = Failing(1), Failing(4)
    tasks = [supervisor.start("once", once), supervisor.start("often", often)]
    await once.goes_on.wait()
    await often.goes_on.wait()

    assert list(supervisor.failing) == ["often"]
    clock.advance(29)
    assert list(supervisor.failing) == ["often"]
    clock.advance(1)
    assert list(supervisor.failing) == []
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_should_go_on_is_begun_again_where_it_ends() -> None:
    """A loop that returns before the stop has died as surely as one that raises."""
    stop, ends = asyncio.Event(), 0

    async def ending() -> None:
        nonlocal ends
        ends += 1
        if ends == 3:
            stop.set()

    await Supervisor(first_pause=0.001).start("the loop", ending, stop)

    assert ends == 3


async def test_a_stop_ends_a_pause() -> None:
    """However long it would be."""
    stop, work = asyncio.Event(), Failing(99)
    keeping = Supervisor(first_pause=1000).start("the work", work, stop)
    await eventually(lambda: _begun(work))

    stop.set()
    await keeping

    assert work.begun == 1


async def _begun(work: Failing) -> bool:
    return work.begun > 0


async def test_a_duty_is_done_again_and_again_and_sooner_after_an_error() -> None:
    """Its interval is an hour here, so only its errors bring it back."""
    supervisor, done = Supervisor(first_pause=0.001), asyncio.Event()
    left = 3

    async def duty() -> None:
        nonlocal left
        if left:
            left -= 1
            raise RuntimeError("the disk is full")
        done.set()

    task = supervisor.repeat("the duty", 3600, duty, first=0)
    await done.wait()

    assert supervisor.failing == ()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_attempt_that_keeps_failing_is_known_until_one_succeeds() -> None:
    """What a scheduler of another's begins is supervised, too."""
    supervisor, work = Supervisor(), Failing(2)
    work.end.set()

    for known in ((), ("the sweep",), ()):
        await supervisor.attempt("the sweep", work)
        assert supervisor.failing == known
