"""A process of its own that does in a random order all that members, workers and posters do; it prints what it did."""

import asyncio
import json
import random
import sys
from dataclasses import dataclass, field

from storage.database import Database
from storage.guilds.guilds import GuildSettings, GuildStore
from storage.guilds.member_data import MemberData
from storage.platform import Platform
from storage.queue.deduplication import Deduplication
from storage.queue.job_queue import Beat, Claim, JobQueue
from storage.queue.jobs import OPEN_STATES, Done, Job, Retry
from storage.queue.outbox import Outbox
from tests.new_jobs import new_job

MEMBERS = "abc"
FAR = 3600.0


@dataclass(slots=True, kw_only=True)
class Busy:
    """Everything that one process has of the queue, and what it did."""

    name: str
    database: Database
    guilds: list[int]
    dice: random.Random
    claims: list[Claim] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    deleted: int = 0
    posted: list[int] = field(default_factory=list)
    first: list[str] = field(default_factory=list)
    changes: int = 0

    @property
    def queue(self) -> JobQueue:
        """The queue."""
        return JobQueue(self.database)

    async def do_something(self) -> None:
        """One thing of those that can be done."""
        duties = (
            self.ask, self.ask, self.ask, self.claim, self.claim, self.beat, self.settle, self.settle,
            self.cancel, self.look, self.post, self.post, self.rescue, self.delete, self.click, self.change,
        )  # fmt: skip
        await self.dice.choice(duties)()

    async def ask(self) -> None:
        """A member asks for something."""
        job = await self.queue.enqueue(new_job(self.dice.choice(self.guilds), self.dice.choice(MEMBERS)))
        self.asked.append(job.id)

    async def claim(self) -> None:
        """A worker takes what is next."""
        if (claim := await self.queue.claim(self.name)) is not None:
            self.claims.append(claim)

    async def beat(self) -> None:
        """A worker tells how far its jobs are."""
        await self.queue.heartbeat(self.name, [Beat(claim=claim, step=1, steps=4) for claim in self.claims])

    async def settle(self) -> None:
        """An attempt ends in one of three ways."""
        if self.claims:
            claim = self.claims.pop()
            match self.dice.randrange(3):
                case 0:
                    await self.queue.release(claim)
                case 1:
                    await self.queue.settle(claim, Retry(after_seconds=0.0, why="The device was lost."))
                case _:
                    await self.queue.settle(claim, Done(device_seconds=self.dice.random()))

    async def cancel(self) -> None:
        """A member cancels one of their jobs."""
        for job in (await self._open_jobs())[:1]:
            await self.queue.cancel(job.guild_id, job.id)

    async def look(self) -> None:
        """A member asks when their jobs will come, and the worker what comes next."""
        for job in await self._open_jobs():
            await self.queue.place(job.guild_id, job.id)
        await self.queue.upcoming(3)
        shown = [reply.job.id for reply in await Outbox(self.database).open_replies(Platform.DISCORD)]
        assert len(shown) == len(set(shown)), "a job that is claimed meanwhile is shown once"

    async def post(self) -> None:
        """A chat process posts what is due, or puts it off."""
        outbox = Outbox(self.database)
        for reply in await outbox.due(Platform.DISCORD, self.name, limit=3):
            if self.dice.randrange(4) == 0:
                await outbox.defer(reply, 0.0)
            elif await outbox.mark_posted(reply, "m1"):
                self.posted.append(reply.job.id)

    async def rescue(self) -> None:
        """Nobody is silent for so long."""
        assert await self.queue.rescue(FAR) == []

    async def delete(self) -> None:
        """A member has all that is theirs deleted."""
        if self.dice.randrange(3) == 0:
            self.deleted += await MemberData(self.database).delete(self.dice.choice(self.guilds), MEMBERS[0])

    async def click(self) -> None:
        """Somebody clicks what others click too."""
        key = f"click {self.dice.randrange(20)}"
        if await Deduplication(self.database, FAR).is_first(key):
            self.first.append(key)

    async def change(self) -> None:
        """An admin adds a channel to those that there are."""

        def with_channel(old: GuildSettings) -> GuildSettings:
            return GuildSettings(allowed_channels=(*old.allowed_channels, self.name))

        await GuildStore(self.database).change_settings(self.guilds[0], with_channel, self.name)
        self.changes += 1

    async def _open_jobs(self) -> list[Job]:
        found = await self.queue.guild_jobs(self.dice.choice(self.guilds), states=OPEN_STATES, limit=5)
        return self.dice.sample(found, len(found))


async def main(url: str, name: str, guilds: str, times: str) -> None:
    database = await Database.open(url)
    dice = random.Random(name)  # noqa: S311  the same actions every time
    busy = Busy(name=name, database=database, guilds=json.loads(guilds), dice=dice)
    for _ in range(int(times)):
        await busy.do_something()
    for claim in busy.claims:
        await busy.queue.settle(claim, Done(device_seconds=1.0))
    await database.close()
    told = ("asked", "posted", "first", "deleted", "changes")
    print(json.dumps({name: getattr(busy, name) for name in told}))  # noqa: T201 # the parent process reads it


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
