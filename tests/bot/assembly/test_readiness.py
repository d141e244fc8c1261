"""Ready means that the work can be done: whatever cannot be, is named, and nothing else is said."""

import asyncio
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from bot.assembly.readiness import Check, Readiness, standard_checks
from handlers.commands.context import AppContext
from handlers.registry import JOBS
from handlers.worker.worker import Worker
from pipeline.errors import UserError
from pipeline.supervisor import Supervisor
from storage.database import Database
from tests.eventually import eventually
from tests.fakes import FakeDevice
from tests.full_disk import full_disk


@pytest.fixture
def worker(context: AppContext) -> Worker:
    """One whose device has loaded."""
    return Worker(
        name="worker", queue=context.queue, blobs=context.blobs, costs=context.costs, jobs=JOBS,
        devices=(FakeDevice("cuda:0"),), ready={"cuda:0"}, supervisor=Supervisor(first_pause=0.001),
    )  # fmt: skip


async def _missing(database: Database, worker: Worker, data: Path) -> dict[str, str]:
    missing = await Readiness(checks=standard_checks(database, worker, data)).missing()
    assert not any("/" in why for why in missing.values()), missing
    return missing


async def test_all_is_well(sqlite: Database, worker: Worker, tmp_path: Path) -> None:
    """And asking leaves nothing behind."""
    before = set(tmp_path.iterdir())

    assert await _missing(sqlite, worker, tmp_path) == {}

    assert set(tmp_path.iterdir()) == before


async def test_a_full_disk_is_named(sqlite: Database, worker: Worker, tmp_path: Path) -> None:
    """Nothing is left of the attempt to write."""
    with full_disk(100_000):
        assert await _missing(sqlite, worker, tmp_path) == {
            "data": "The disk that holds the data folder is full; free some space there and try again."
        }
    assert [path.name for path in tmp_path.iterdir() if "ready" in path.name] == []


async def test_a_deleted_data_folder_is_named_and_not_made_again(
    sqlite: Database, worker: Worker, tmp_path: Path
) -> None:
    """SQLite goes on in a file that has no name any more: what it stores is lost with the process."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(tmp_path / "limner.db", data / "limner.db")
    database = await Database.open(f"sqlite:///{data / 'limner.db'}")
    assert await _missing(database, worker, data) == {}

    shutil.rmtree(data)

    missing = await _missing(database, worker, data)
    assert set(missing) == {"database", "data"}
    assert missing["data"] == "The data folder is gone; bring it back, then start again."
    assert "was deleted or replaced" in missing["database"]
    assert not data.exists()
    data.mkdir()
    shutil.copy(tmp_path / "limner.db", data / "limner.db")
    assert set(await _missing(database, worker, data)) == {"database"}
    await database.close()


async def test_a_device_that_cannot_start_is_named_without_its_folder(
    sqlite: Database, worker: Worker, tmp_path: Path
) -> None:
    """Its own sentence may name a path."""
    worker.ready.clear()
    worker.troubles["cuda:0"] = "Model '/models' is not at /models; pull /srv/models/x.safetensors."

    assert await _missing(sqlite, worker, tmp_path) == {
        "devices": "cuda:0: Model 'models' is not at models; pull x.safetensors."
    }


async def test_a_background_task_that_keeps_failing_is_named(sqlite: Database, worker: Worker, tmp_path: Path) -> None:
    """Whatever it is."""

    async def fail() -> None:
        raise OSError(24, "Too many open files", "/proc/self/fd")

    failing = worker.supervisor.start("the heartbeat", fail)

    async def failed() -> bool:
        return bool(worker.supervisor.failing)

    await eventually(failed)
    assert await _missing(sqlite, worker, tmp_path) == {
        "tasks": "the heartbeat failed again and again; the log says why"
    }
    failing.cancel()
    await asyncio.gather(failing, return_exceptions=True)


async def test_a_check_that_does_not_answer_or_breaks_delays_no_other() -> None:
    """The wait has a bound, and one that hangs is not asked a second time beside it."""
    asked = 0
    forever = asyncio.Event()

    async def hang() -> str | None:
        nonlocal asked
        asked += 1
        await forever.wait()
        return None

    async def break_down() -> str | None:
        raise RuntimeError("at 10.0.0.1:5432")

    async def refuse() -> str | None:
        raise UserError("There is nothing at /srv/x.")

    async def be_well() -> str | None:
        return None

    checks: dict[str, Check] = {"hanging": hang, "broken": break_down, "refusing": refuse, "well": be_well}
    readiness = Readiness(checks=checks, seconds=0.05)
    expected = {
        "hanging": "it does not answer",
        "broken": "it cannot be used; the log says why",
        "refusing": "There is nothing at x.",
    }

    assert await readiness.missing() == expected
    assert await readiness.missing() == expected
    assert asked == 1
    forever.set()
    assert set(await readiness.missing()) == {"broken", "refusing"}


async def test_many_who_ask_at_once_cost_one_look() -> None:
    """Anyone may ask."""
    asked = 0

    async def check() -> str | None:
        nonlocal asked
        asked += 1
        return None

    readiness = Readiness(checks={"database": check})
    await asyncio.gather(*(readiness.missing() for _ in range(100)))

    assert asked == 1


async def test_a_database_server_that_hangs_is_named(
    migrated_postgres: str, postgres_server: str, worker: Worker, tmp_path: Path
) -> None:
    """Stopped, as by a storage that hangs: its connections stay open and nothing comes back."""
    database = await Database.open(migrated_postgres)
    readiness = Readiness(checks=standard_checks(database, worker, tmp_path), seconds=0.5)
    assert await readiness.missing() == {}
    with _stopped(postgres_server):
        await asyncio.sleep(1)

        assert await readiness.missing() == {"database": "it does not answer"}

    async def is_well() -> bool:
        return await readiness.missing() == {}

    await eventually(is_well)
    await database.close()


@contextmanager
def _stopped(url: str) -> Iterator[None]:
    """Every process of the server that the tests started stands still until the block ends."""
    folder = url.partition("host=")[2]
    servers = [each for each in psutil.process_iter(["cmdline"]) if folder in " ".join(each.info["cmdline"] or ())]
    family = [each for server in servers for each in (server, *server.children(recursive=True))]
    assert family, "the server that the tests started"
    for each in family:
        each.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for each in family:
            each.send_signal(signal.SIGCONT)
