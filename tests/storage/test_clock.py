"""The clock of a database goes on evenly, whatever the wall clock does and whichever process asks."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from storage.clock import Machine, ServerClock
from storage.database import Database
from storage.guilds.guilds import GuildStore
from storage.guilds.member_data import MemberData
from storage.platform import Platform
from storage.queue.job_queue import Claim, JobQueue
from storage.queue.jobs import Done, Retry
from storage.queue.key_values import KeyValues
from storage.queue.outbox import Outbox
from tests.new_jobs import new_job

HOUR = 3600.0
STALE = 30.0


@dataclass(slots=True)
class FakeMachine:
    """A machine whose clocks move when a test says so."""

    boot_id: str | None = "first boot"
    up: float = 500.0
    wall: float = 1_800_000_000.0

    def as_machine(self) -> Machine:
        """As the clock sees it."""
        return Machine(boot_id=self.boot_id, since_boot=lambda: self.up, wall=lambda: self.wall)

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.up += seconds
        self.wall += seconds

    def reboot(self, boot_id: str, seconds: float) -> None:
        """Be off for a while."""
        self.boot_id, self.up = boot_id, 20.0
        self.wall += seconds


@dataclass(slots=True)
class Processes:
    """Processes of one machine, each with its own connection to the same database."""

    url: str
    machine: FakeMachine
    opened: list[Database] = field(default_factory=list)

    async def start(self) -> Database:
        """One more process."""
        self.opened.append(await Database.open(self.url, machine=self.machine.as_machine()))
        return self.opened[-1]

    async def crash(self) -> None:
        """All of them are gone."""
        for database in self.opened:
            await database.close()
        self.opened.clear()


@pytest.fixture
def machine() -> FakeMachine:
    return FakeMachine()


@pytest.fixture
async def processes(database: Database, database_url: str, machine: FakeMachine) -> AsyncIterator[Processes]:
    processes = Processes(url=database_url, machine=machine)
    yield processes
    await processes.crash()


@pytest.fixture
async def claim(processes: Processes) -> Claim:
    """A job that one process holds."""
    return await _claimed(await processes.start())


async def _claimed(database: Database) -> Claim:
    guild = await GuildStore(database).ensure(Platform.DISCORD, "100", "Pixel People")
    queue = JobQueue(database)
    await queue.enqueue(new_job(guild.id))
    claim = await queue.claim("worker-1")
    assert claim is not None
    return claim


on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
either_way = pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forward", "back"])


@either_way
async def test_step_of_the_wall_clock_lapses_no_lease(
    processes: Processes, machine: FakeMachine, claim: Claim, step: float
) -> None:
    """Neither the process from before the step nor one that starts after it takes the job from its worker."""
    machine.wall += step
    for database in (processes.opened[0], await processes.start()):
        assert await JobQueue(database).rescue(STALE) == []
    assert await JobQueue(database).settle(claim, Done(device_seconds=1.0)) is True


@on_sqlite
@either_way
async def test_step_of_the_wall_clock_holds_up_nothing(
    processes: Processes, machine: FakeMachine, claim: Claim, step: float
) -> None:
    """After the same seconds as ever a silent worker's job is rescued, tried again, and its reply due again."""
    before, after = processes.opened[0], await processes.start()
    machine.wall += step
    machine.pass_time(STALE)
    assert await JobQueue(after).rescue(STALE) == [claim.job.id]
    (second,) = await JobQueue(before).claim_suspects("worker-2")
    await JobQueue(after).settle(second, Retry(after_seconds=5.0, why="The device was lost."))
    assert await JobQueue(before).claim_suspects("worker-3") == []
    machine.pass_time(5.0)
    (third,) = await JobQueue(after).claim_suspects("worker-3")
    await JobQueue(before).settle(third, Done(device_seconds=1.0))

    first = await Outbox(before, lease_seconds=60).due(Platform.DISCORD, "chat-1")
    assert await Outbox(after, lease_seconds=60).due(Platform.DISCORD, "chat-2") == []
    machine.pass_time(60.0)
    again = await Outbox(after, lease_seconds=60).due(Platform.DISCORD, "chat-2")

    assert [reply.job.id for reply in first] == [reply.job.id for reply in again] == [claim.job.id]


@on_sqlite
@pytest.mark.parametrize("step", [HOUR, -HOUR, -50 * 24 * HOUR], ids=["forward", "back", "far back"])
async def test_after_a_reboot_the_work_goes_on(
    processes: Processes, machine: FakeMachine, claim: Claim, step: float
) -> None:
    """Whatever the wall clock shows after another boot, the old leases lapse as soon as after a crash."""
    await processes.crash()
    machine.reboot("second boot", 5.0)
    machine.wall += step

    database = await processes.start()
    machine.pass_time(STALE)

    queue = JobQueue(database)
    assert await queue.rescue(STALE) == [claim.job.id]
    place = await queue.place(claim.job.guild_id, claim.job.id)
    assert place is not None
    assert place.seconds == 0
    (second,) = await queue.claim_suspects("worker-2")
    await queue.settle(second, Done(device_seconds=1.0))
    assert len(await Outbox(database).due(Platform.DISCORD, "chat-1")) == 1


@on_sqlite
async def test_after_a_reboot_no_reply_waits_for_a_dead_poster(
    processes: Processes, machine: FakeMachine, claim: Claim
) -> None:
    """A lease that was taken just before the power failed is over, although the wall clock shows an hour less."""
    before = processes.opened[0]
    await JobQueue(before).settle(claim, Done(device_seconds=1.0))
    assert len(await Outbox(before, lease_seconds=60).due(Platform.DISCORD, "chat-1")) == 1
    await processes.crash()
    machine.reboot("second boot", 5.0)
    machine.wall -= HOUR

    assert len(await Outbox(await processes.start()).due(Platform.DISCORD, "chat-2")) == 1


@on_sqlite
async def test_processes_that_start_at_once_agree(processes: Processes, machine: FakeMachine) -> None:
    """The first process of a boot sets the clock for all that start with it or after it."""
    at_once = await asyncio.gather(*(processes.start() for _ in range(3)))
    machine.wall += HOUR
    later = await processes.start()

    assert {await database.now() for database in (*at_once, later)} == {machine.wall - HOUR}


@on_sqlite
async def test_members_read_the_wall_clock(processes: Processes, machine: FakeMachine, claim: Claim) -> None:
    """What is handed out says when a job ended by the clock on the wall, which was put right since."""
    database = processes.opened[0]
    machine.pass_time(100.0)
    await JobQueue(database).settle(claim, Done(device_seconds=1.0))
    ended = machine.wall
    machine.wall += HOUR

    (kept,) = await MemberData(database).export(claim.job.guild_id, claim.job.member_id)

    assert (kept.created_at, kept.finished_at) == (ended + HOUR - 100.0, ended + HOUR)


@on_postgres
async def test_server_has_the_only_clock(database_url: str, database: Database, machine: FakeMachine) -> None:
    """However wrong a machine's own clocks are, it measures by the server's, which moves within a transaction too."""
    machine.wall -= HOUR
    other = await Database.open(database_url, machine=machine.as_machine())
    async with database.write() as connection:
        first = await ServerClock().read(connection)
        between = await other.now()
        last = await ServerClock().read(connection)
    await other.close()

    assert first < between < last


async def test_this_machine_counts_from_its_boot() -> None:
    """Two looks at it name the same boot, and time passes between them."""
    first, second = Machine.this(), Machine.this()

    assert first.boot_id == second.boot_id
    assert 0 < first.since_boot() <= second.since_boot()


async def test_machine_that_tells_no_boot_has_its_wall_clock(tmp_path: Path, empty_sqlite: Path) -> None:
    """There is nothing better there; no clock is kept in the database."""
    path = shutil.copy(empty_sqlite, tmp_path / "limner.db")
    machine = Machine(boot_id=None, since_boot=lambda: 42.0)
    database = await Database.open(f"sqlite:///{path}", machine=machine)

    assert await database.now() == 42.0
    assert await KeyValues(database).get("clock") is None
    await database.close()
