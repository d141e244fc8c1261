"""What a busy device hears of the jobs that are next."""

from tests.eventually import eventually
from tests.handlers.worker.shifts import Shift


async def test_a_busy_device_hears_once_what_is_next(shift: Shift) -> None:
    """The first job of each guild, in fair order; once more when it was started again."""
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
        await eventually(lambda: expected(3))

    assert [render.request.prompt for render in shift.device.submitted[:3]] == ["running", "next", "next"]
    assert [expected.prompt for expected in shift.device.expected] == ["next", "later", "later"]
