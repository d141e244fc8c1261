"""What the composition root makes on the disk, and the periodic duties as it runs them."""

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.assembly.runtime import open_runtime, running_duties
from bot.assembly.settings import Settings
from handlers.jobs.payloads import REQUEST
from storage.platform import Platform
from storage.queue.jobs import JobKind, JobState, NewJob
from storage.queue.reply_address import ReplyAddress
from tests.eventually import eventually
from tests.fakes import request


async def test_a_dead_workers_job_is_rescued_by_the_duties(tmp_path: Path) -> None:
    """A worker that fell silent loses its claim, and the job waits for another one."""
    settings = Settings(data=tmp_path, stale_seconds=1)
    async with open_runtime(settings) as runtime:
        queue = runtime.context.queue
        guild = await runtime.context.guilds.ensure(Platform.TERMINAL, "local", "this terminal")
        job = await queue.enqueue(
            NewJob(
                guild_id=guild.id, member_id="ada", member_name="Ada", kind=JobKind.IMAGINE,
                payload=REQUEST.write(request()), cost_key="pocket", cost_units=1.0,
                reply=ReplyAddress(platform=Platform.TERMINAL, channel_id="terminal", user_id="ada"),
            )
        )  # fmt: skip
        assert await queue.claim("a worker that dies") is not None

        async def waits_again() -> bool:
            found = await queue.get(guild.id, job.id)
            return found is not None and found.state is JobState.QUEUED

        async with running_duties(runtime):
            assert await eventually(waits_again)


@pytest.fixture
def usual_umask() -> Iterator[None]:
    """What most shells set; it is set again at the end, since a runtime narrows that of its process."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def _open_to_others(folder: Path) -> list[str]:
    """What the group or others may do anything with."""
    paths = [folder, *folder.rglob("*")]
    return [str(path.relative_to(folder)) for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077]


@pytest.mark.slow  # a child process writes, too
@pytest.mark.usefixtures("usual_umask")
async def test_nothing_in_the_data_folder_is_for_other_users(tmp_path: Path) -> None:
    """The database with its log, blobs, keys, and what a child process writes."""
    settings = Settings(data=tmp_path / "limner")
    async with open_runtime(settings) as runtime:
        await runtime.context.guilds.ensure(Platform.TERMINAL, "local", "this terminal")
        await runtime.context.blobs.put(b"an image")
        child = await asyncio.create_subprocess_exec("touch", str(settings.data / "a-childs"))
        assert await child.wait() == 0

        assert {"limner.db", "limner.db-wal", "blobs", "secret.key", "a-childs"} <= {
            path.name for path in settings.data.iterdir()
        }
        assert _open_to_others(settings.data) == []


@pytest.mark.usefixtures("usual_umask")
async def test_a_data_folder_that_an_older_version_left_open_is_closed(tmp_path: Path) -> None:
    """All of it, but not what a link in it leads to; who owns it may still run what could be run."""
    settings = Settings(data=tmp_path / "limner")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("shared on purpose")
    (settings.data / "blobs" / "00").mkdir(parents=True)
    (settings.data / "blobs" / "00" / "key").write_text("an image")
    (settings.data / "tool").touch(0o755)
    (settings.data / "loras").symlink_to(elsewhere)
    assert len(_open_to_others(settings.data)) == 6

    async with open_runtime(settings):
        assert _open_to_others(settings.data) == ["loras"]
        assert stat.S_IMODE((settings.data / "tool").stat().st_mode) == 0o700


@pytest.mark.usefixtures("usual_umask")
async def test_a_database_outside_the_data_folder_is_closed_too(tmp_path: Path) -> None:
    """Also one that was made when its files were as open as the umask said."""
    path = tmp_path / "elsewhere.db"
    path.touch(0o644)

    async with open_runtime(Settings(data=tmp_path / "limner", database=f"sqlite:///{path}")):
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob("elsewhere.db*")}

    assert "elsewhere.db" in modes
    assert set(modes.values()) == {0o600}
