"""What a busy device hears of the jobs that are next."""

from handlers.worker.prefetch import Prefetch
from tests.eventually import eventually
from tests.handlers.worker.shifts import Shift


async def test_a_busy_device_hears_once_what_is_next(shift: Shift) -> None:
    """The first job of each guild, in fair order; nothing while a suspect has the device to itself."""
    await shift.enqueue(prompt="running")
    async with shift.working(images_at_once=1):
        await shift.submitted(1)
        await shift.enqueue(prompt="next")
        await shift.enqueue(prompt="later")

        async def expected(count: int) -> bool:
            return len(shift.device.expected) >= count

        await eventually(lambda: expected(1))
        shift.device.finish(shift.device.submitted[0])
        await shift.submitted(2)
        await eventually(lambda: expected(2))
        shift.device.die()
        await shift.enqueue(prompt="last")
        await shift.submitted(3)
        shift.device.finish(shift.device.submitted[2])
        await shift.submitted(4)
        await eventually(lambda: expected(3))

    assert [render.request.prompt for render in shift.device.submitted[:4]] == ["running", "next", "next", "later"]
    assert [expected.prompt for expected in shift.device.expected] == ["next", "later", "last"]


async def test_a_device_that_was_started_again_hears_it_once_more(shift: Shift) -> None:
    """What it had loaded is gone."""
    await shift.enqueue(prompt="next")
    prefetch = Prefetch(queue=shift.context.queue, depth=4)

    await prefetch.tell(shift.device)
    await prefetch.tell(shift.device)
    assert prefetch.has_announced(shift.device)
    prefetch.forget(shift.device)
    assert not prefetch.has_announced(shift.device)
    await prefetch.tell(shift.device)

    assert [expected.prompt for expected in shift.device.expected] == ["next", "next"]
