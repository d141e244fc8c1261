"""How little a guild that floods the pool weighs on the others: `python -m benchmarks.fairness` prints a table.

The queue is the real one, on SQLite; the pool and the clock are simulated: a slot of a device works on a job for as
long as its cost units say, so that every run on every machine gives the same figures.
"""

import asyncio
import heapq
import random
import statistics
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.measuring import HEADER, Row
from storage.clock import Clock
from storage.database import Database, migrate
from storage.guilds.guilds import GuildStore
from storage.platform import Platform
from storage.queue.job_queue import Claim, JobQueue
from storage.queue.jobs import Done, JobKind, NewJob
from storage.queue.reply_address import ReplyAddress

SECONDS_PER_UNIT: Final = 0.1
STEPS: Final = (20, 30, 50)
LIGHT, HEAVY = 0, 1
LIGHT_JOBS: Final = 150
HEAVY_SHARE: Final = 0.9
LOAD: Final = 1.5
"""The load as a multiple of what the pool can do, so that the heavy guild's line only grows."""

SLOTS: Final = 8
"""Two devices, each with as many images at once as the settings' default."""

BACKLOG: Final = 125
BACKLOGGED_GUILDS: Final = 4
HORIZON_SECONDS: Final = 100.0


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Asked:
    """A job of a guild's, asked for at a second, of so many cost units."""

    at: float
    guild: int
    units: float

    @property
    def seconds(self) -> float:
        """The seconds that it occupies a slot."""
        return self.units * SECONDS_PER_UNIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A job, and when it was done."""

    asked: Asked
    at: float

    @property
    def latency(self) -> float:
        """From the moment that it was asked for."""
        return self.at - self.asked.at


@dataclass(slots=True, kw_only=True)
class SimulatedPool:
    """Slots that serve the real queue in simulated time; also the queue's clock."""

    slots: int
    now: float = 0.0
    _running: list[tuple[float, int, Claim]] = field(default_factory=list)

    async def read(self, connection: AsyncConnection) -> float:  # noqa: ARG002  a server would be asked
        """The second, as far as the queue is concerned."""
        return self.now

    def wall(self) -> float:
        """What people would read."""
        return self.now

    async def run(self, queue: JobQueue, guilds: Sequence[int], arrivals: Sequence[Asked]) -> list[Finished]:
        """Serve `arrivals`, which are in the order of time, to the last."""
        waiting, jobs, finished = deque(arrivals), {}, []
        while waiting or self._running:
            if waiting and (not self._running or waiting[0].at <= self._running[0][0]):
                asked = waiting.popleft()
                self.now = asked.at
                jobs[(await queue.enqueue(_new_job(guilds[asked.guild], asked))).id] = asked
            else:
                self.now, job_id, claim = heapq.heappop(self._running)
                asked = jobs[job_id]
                await queue.settle(claim, Done(device_seconds=asked.seconds))
                finished.append(Finished(asked=asked, at=self.now))
            if not waiting or waiting[0].at > self.now:
                await self._fill_slots(queue, jobs)
        return finished

    async def _fill_slots(self, queue: JobQueue, jobs: dict[int, Asked]) -> None:
        while len(self._running) < self.slots and (claim := await queue.claim("pool")) is not None:
            heapq.heappush(self._running, (self.now + jobs[claim.job.id].seconds, claim.job.id, claim))


def first_come_first_served(arrivals: Sequence[Asked], slots: int) -> list[Finished]:
    """The same slots serving in order of arrival."""
    free = [0.0] * slots
    finished = []
    for asked in arrivals:
        at = max(asked.at, heapq.heappop(free)) + asked.seconds
        heapq.heappush(free, at)
        finished.append(Finished(asked=asked, at=at))
    return finished


def traffic(slots: int) -> list[Asked]:
    """Jobs of a light and of a heavy guild at random moments, those of the heavy one nine in ten."""
    dice = random.Random(1)  # noqa: S311  a trace, the same every time
    mean_seconds = 2 * statistics.mean(STEPS) * SECONDS_PER_UNIT
    total = round(LIGHT_JOBS / (1 - HEAVY_SHARE))
    span = total * mean_seconds / (LOAD * slots)
    owners = [LIGHT] * LIGHT_JOBS + [HEAVY] * (total - LIGHT_JOBS)
    return sorted(Asked(at=dice.uniform(0, span), guild=guild, units=2.0 * dice.choice(STEPS)) for guild in owners)


def p95(finished: Sequence[Finished]) -> float:
    """The light guild's 95th percentile from asking to finished."""
    return statistics.quantiles([each.latency for each in finished if each.asked.guild == LIGHT], n=20)[-1]


def jain(finished: Sequence[Finished]) -> float:
    """Jain, Chiu and Hawe's index (1984) of the slot seconds that each guild got by the horizon: 1 is equal shares."""
    shares = [0.0] * BACKLOGGED_GUILDS
    for each in finished:
        if each.at <= HORIZON_SECONDS:
            shares[each.asked.guild] += each.asked.seconds
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


async def through_the_queue(arrivals: Sequence[Asked], slots: int) -> list[Finished]:
    """How a pool of `slots` serves `arrivals` from the real queue."""
    pool = SimulatedPool(slots=slots)
    async with _database(pool) as database:
        store = GuildStore(database)
        count = 1 + max(asked.guild for asked in arrivals)
        guilds = [(await store.ensure(Platform.DISCORD, str(number), "g")).id for number in range(count)]
        return await pool.run(JobQueue(database), guilds, arrivals)


@asynccontextmanager
async def _database(clock: Clock) -> AsyncIterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'queue.db'}"
        await migrate(url)
        database = await Database.open(url, clock)
        try:
            yield database
        finally:
            await database.close()


def _new_job(guild_id: int, asked: Asked) -> NewJob:
    return NewJob(
        guild_id=guild_id, member_id="ann", member_name="Ann", kind=JobKind.IMAGINE, payload="{}",
        reply=ReplyAddress(platform=Platform.DISCORD, channel_id="c", user_id="ann"),
        cost_key="pocket", cost_units=asked.units, seconds_per_unit=SECONDS_PER_UNIT,
    )  # fmt: skip


async def light_guild() -> list[Row]:
    """The light guild's p95 beside the heavy one, against its p95 alone and against a plain line."""
    arrivals = traffic(SLOTS)
    beside = p95(await through_the_queue(arrivals, SLOTS))
    alone = p95(await through_the_queue([asked for asked in arrivals if asked.guild == LIGHT], SLOTS))
    line = p95(first_come_first_served(arrivals, SLOTS))
    name = f"a light guild's p95 while another sends {HEAVY_SHARE:.0%} of {LOAD:g} times what {SLOTS} slots can do"
    unit = "s, simulated"
    return [
        Row(workload=name, against="alone", theirs=alone, ours=beside, unit=unit, must=2, aim=1.3, at_most=True),
        Row(workload=name, against="first come, first served", theirs=line, ours=beside, unit=unit),
    ]


async def backlogged_guilds() -> str:
    """How evenly guilds are served who all have more to do than they get, one with longer jobs than the other."""
    arrivals = [
        Asked(at=0.0, guild=guild, units=20.0 * (1 + guild))
        for _ in range(BACKLOG)
        for guild in range(BACKLOGGED_GUILDS)
    ]
    ours, line = jain(await through_the_queue(arrivals, SLOTS)), jain(first_come_first_served(arrivals, SLOTS))
    name = f"Jain's index of {BACKLOGGED_GUILDS} backlogged guilds, jobs of 1 to {BACKLOGGED_GUILDS} times the length"
    return f"| {name} | first come, first served | {line:.3f} | {ours:.3f} | index | {ours / line:.2f}x | | |"


async def main() -> None:
    """Print the table."""
    print(HEADER, *await light_guild(), sep="\n", flush=True)
    print(await backlogged_guilds(), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
