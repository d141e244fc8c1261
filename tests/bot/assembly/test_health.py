"""The port for monitoring, on a real socket."""

import errno
import socket
from pathlib import Path

import aiohttp
import pytest

from bot.assembly.health import _no_port, health_app, running_health
from bot.assembly.readiness import standard_checks
from handlers.commands.context import AppContext
from handlers.registry import JOBS
from handlers.worker.worker import Worker
from pipeline.errors import UserError
from storage.database import Database
from tests.app_contexts import CallCommand
from tests.fakes import FakeDevice


@pytest.fixture
def worker(context: AppContext) -> Worker:
    return Worker(
        name="worker",
        queue=context.queue,
        blobs=context.blobs,
        costs=context.costs,
        jobs=JOBS,
        devices=(FakeDevice("cuda:0"),),
    )


async def test_ready_means_that_the_database_answers_and_a_device_has_loaded(
    context: AppContext,
    sqlite: Database,
    worker: Worker,
    tmp_path: Path,
) -> None:
    """Until then 503 and the names of what is missing; alive it is all the while."""
    app = health_app(standard_checks(sqlite, worker), context.queue)
    async with running_health(app, "127.0.0.1", 0) as port, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}"
        async with session.get(f"{url}/healthz") as answer:
            assert answer.status == 200
        async with session.get(f"{url}/readyz") as answer:
            assert answer.status == 503
            assert (await answer.json())["missing"] == {"devices": "cuda:0: still loading"}
        worker.ready.add("cuda:0")
        async with session.get(f"{url}/readyz") as answer:
            assert answer.status == 200
        await sqlite.close()
        (tmp_path / "limner.db").write_bytes(b"no database" * 1000)
        async with session.get(f"{url}/readyz") as answer:
            assert "database" in (await answer.json())["missing"]


async def test_metrics_count_the_jobs_by_state(
    context: AppContext,
    sqlite: Database,
    worker: Worker,
    call: CallCommand,
) -> None:
    """In the text form that Prometheus reads."""
    await call("imagine", prompt="fox")
    app = health_app(standard_checks(sqlite, worker), context.queue)
    async with (
        running_health(app, "127.0.0.1", 0) as port,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        text = await answer.text()

    assert 'limner_jobs{state="queued"} 1' in text.splitlines()
    assert 'limner_jobs{state="failed"} 0' in text.splitlines()


async def test_a_port_in_use_is_a_sentence() -> None:
    """And none of the other addresses stays open."""
    app = health_app({}, None)  # type: ignore[arg-type] # nobody asks for the metrics
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=rf"Port {port} is in use; .* set LIMNER_PORT to another"):
            async with running_health(app, "127.0.0.1", port):
                pytest.fail("it listens")


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "two..dots"])
async def test_a_host_that_is_not_this_machine_is_a_sentence(host: str) -> None:
    """Whether it is another's address or none at all."""
    app = health_app({}, None)  # type: ignore[arg-type] # as above
    with pytest.raises(UserError, match=r"LIMNER_HOST is '.*', which is no address of this machine"):
        async with running_health(app, host, 0):
            pytest.fail("it listens")


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EACCES, "may not listen on port 80; set LIMNER_PORT to one above"), (errno.EMFILE, "cannot be opened")],
)
def test_a_port_that_is_not_given_is_a_sentence(number: int, words: str) -> None:
    """Root may listen anywhere, so that a test cannot be refused for real."""
    assert words in str(_no_port(OSError(number, "odd"), 80))
