"""What is kept of one member in a guild: all of it handed out, or all of it deleted."""

from dataclasses import dataclass

from sqlalchemy import RowMapping, delete, exists, func, select

from storage.database import Database
from storage.queue.jobs import JobState
from storage.tables import images, jobs, loras, member_shares, saved_calls


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptJob:
    """What is kept of one job of a member; `payload` is the request as it was stored, times are the wall clock's."""

    id: int
    member_name: str
    kind: str
    payload: str
    state: str
    created_at: float
    finished_at: float | None
    device_seconds: float | None
    images: int


class MemberData:
    """The rows that belong to members."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def export(self, guild_id: int, member_id: str) -> tuple[KeptJob, ...]:
        """Everything that is kept of the member in the guild, oldest first."""
        count = select(func.count()).where(images.c.job_id == jobs.c.id).scalar_subquery()
        columns = (
            jobs.c.id, jobs.c.member_name, jobs.c.kind, jobs.c.payload, jobs.c.state,
            jobs.c.created_at, jobs.c.finished_at, jobs.c.device_seconds, count.label("images"),
        )  # fmt: skip
        query = select(*columns).where(jobs.c.guild_id == guild_id, jobs.c.member_id == member_id).order_by(jobs.c.id)
        async with self._database.read() as connection:
            clock = self._database.clock
            ahead = round(clock.wall() - await clock.read(connection))
            return tuple(_kept(row, ahead) for row in (await connection.execute(query)).mappings())

    async def delete(self, guild_id: int, member_id: str) -> int:
        """Deletes the member's jobs that no longer wait, with their images, saved calls and private LoRAs.

        Returns how many jobs; the caller cancels those that wait first. A worker that holds one of the jobs finds its
        claim lost and stops. The images' bytes go with the next collection of blobs, the LoRAs' files with the next
        sweep.
        """
        theirs = (jobs.c.guild_id == guild_id, jobs.c.member_id == member_id)
        claimed = (*theirs, jobs.c.state != JobState.QUEUED)
        async with self._database.write() as connection:
            # Locked in the order of ids, as heartbeats do it, so that the two never wait for each other.
            await connection.execute(select(jobs.c.id).where(*claimed).order_by(jobs.c.id).with_for_update())
            count = len((await connection.execute(delete(jobs).where(*claimed).returning(jobs.c.id))).all())
            await connection.execute(
                delete(saved_calls).where(saved_calls.c.guild_id == guild_id, saved_calls.c.member_id == member_id)
            )
            # Only a private LoRA's scope is a member's id; what was shared is the guild's.
            await connection.execute(delete(loras).where(loras.c.guild_id == guild_id, loras.c.scope == member_id))
            # A job that a worker claimed a moment ago waits no longer, but will be charged to the share.
            share = (
                member_shares.c.guild_id == guild_id,
                member_shares.c.member_id == member_id,
                member_shares.c.waiting == 0,
            )
            await connection.execute(delete(member_shares).where(*share, ~exists().where(*theirs)))
        return count

    async def delete_job(self, guild_id: int, job_id: int) -> bool:
        """Deletes one finished job with its images; False when there is none."""
        ended = jobs.c.state.in_((JobState.DONE, JobState.FAILED, JobState.CANCELLED))
        statement = delete(jobs).where(jobs.c.guild_id == guild_id, jobs.c.id == job_id, ended).returning(jobs.c.id)
        async with self._database.write() as connection:
            return (await connection.execute(statement)).one_or_none() is not None


def _kept(row: RowMapping, ahead: int) -> KeptJob:
    """The job in a row, whose times the wall clock is `ahead` of."""
    ended = row["finished_at"]
    times = {"created_at": row["created_at"] + ahead, "finished_at": None if ended is None else ended + ahead}
    return KeptJob(**{**row, **times})
