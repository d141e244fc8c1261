"""Which job gives up its slot when a device is full: a long job for a short one of a guild that has none."""

from collections.abc import Collection, Sequence

from handlers.worker.running_job import OpenJob
from storage.queue.jobs import Job, JobKind


def choose_preempted(held: Collection[OpenJob], upcoming: Sequence[Job]) -> OpenJob | None:
    """Which of a device's jobs makes room for the first of `upcoming`, or None.

    It is the one with the most left to do, and takes longer for that than the other as a whole, so that waiting in
    turns makes the mean wait shorter. A job makes room once, and one at a time.
    """
    if not upcoming or any(job.preempted for job in held):
        return None
    first = upcoming[0]
    # What is prepared beside the devices needs no slot yet.
    if first.kind != JobKind.IMAGINE or first.guild_id in {job.claim.job.guild_id for job in held}:
        return None
    longest = max((job for job in held if not job.is_map), key=OpenJob.seconds_left, default=None)
    if longest is None or longest.cancelled or longest.claim.job.restarts:
        return None
    return longest if longest.seconds_left() > first.estimated_seconds else None
