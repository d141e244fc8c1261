"""`limner serve` on a machine that runs out of things: it says so, goes on, and is whole again when there are more."""

import resource
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.eventually import eventually
from tests.journeys.terminal import children, kill
from tests.wire.slack.process import Served, serving

pytestmark = pytest.mark.timeout(600)

NOFILE, FSIZE = resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE
_DEVICE = "pipeline.devices.program"


def _all_but_one_file(process: psutil.Process) -> int:
    """The limit below which one number of a file is free: enough to answer, too few for a new process's pipes."""
    taken = {int(path.name) for path in Path(f"/proc/{process.pid}/fd").iterdir()}
    return next(limit for limit in range(1, len(taken) + 3) if len(set(range(limit)) - taken) == 1)


async def _missing(served: Served) -> tuple[int, dict[str, str]]:
    async with aiohttp.ClientSession() as session, session.get(f"{served.url}/readyz") as answer:
        body = await answer.text()
        assert str(Path.home()) not in body
        return answer.status, (await answer.json())["missing"]


async def _is_missing(served: Served, data: Path, *names: str) -> dict[str, str]:
    """What is missing, once it is exactly that; it names no folder."""

    async def look() -> dict[str, str] | None:
        status, missing = await _missing(served)
        assert (status == 200) is not bool(missing)
        assert not any(str(data) in why or "/" in why for why in missing.values()), missing
        return missing if set(missing) == set(names) else None

    return await eventually(look)


async def test_a_machine_that_runs_out_of_things_is_not_ready_until_it_has_them_again(tmp_path: Path) -> None:
    """A full disk; no file left while the device is started again; a data folder that is gone for a while."""
    data = tmp_path / "data"
    async with serving(data) as served:
        await served.ready()
        process = psutil.Process(served.process.pid)

        before = process.rlimit(FSIZE)
        process.rlimit(FSIZE, (4096, before[1]))
        assert "is full" in (await _is_missing(served, data, "data"))["data"]
        process.rlimit(FSIZE, before)
        await served.ready()

        before = process.rlimit(NOFILE)
        process.rlimit(NOFILE, (_all_but_one_file(process), before[1]))
        (device,) = [child for child in children(served.process) if _DEVICE in child.cmdline()]
        kill(device.pid)

        async def says_why() -> bool:
            _, missing = await _missing(served)
            return "Too many open files" in missing.get("devices", "")

        await eventually(says_why)
        process.rlimit(NOFILE, before)
        await served.ready()

        data.rename(tmp_path / "elsewhere")
        await _is_missing(served, data, "data", "database")
        (tmp_path / "elsewhere").rename(data)
        await served.ready()
