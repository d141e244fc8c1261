"""`limner serve` says which platforms it serves, waits for what may pass, and ends where nothing can be served."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.assembly.platform_link import Joined, LoginRefused, PlatformLink
from bot.assembly.runtime import Runtime
from bot.assembly.settings import Settings
from bot.serve import _check_refusals, _Start, _until_the_end, platform_lines
from pipeline.errors import UserError
from pipeline.supervisor import Supervisor
from tests.eventually import eventually

NAMES = (
    "DISCORD_TOKEN", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_CLIENT_ID",
    "SLACK_CLIENT_SECRET",
)  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "lines"),
    [
        ({}, ("DISCORD_TOKEN is not set", "SLACK_BOT_TOKEN is not set")),
        ({"DISCORD_TOKEN": "d"}, ("DISCORD_TOKEN is set", "SLACK_BOT_TOKEN is not set")),
        ({"SLACK_BOT_TOKEN": "b", "SLACK_APP_TOKEN": "a"}, ("DISCORD_TOKEN is not set", "over Socket Mode")),
        ({"SLACK_BOT_TOKEN": "b", "SLACK_SIGNING_SECRET": "s"}, ("DISCORD_TOKEN is not set", "/slack/events")),
    ],
)
def test_each_platform_has_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], lines: tuple[str, str]
) -> None:
    """Which says how it is reached, or what is missing; and never a secret."""
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    discord, slack = platform_lines(Settings.load())

    assert lines[0] in discord
    assert lines[1] in slack


def _settings(folder: Path, **changes: Any) -> Settings:
    return Settings(_env_file=None, data=folder / "data", database=f"sqlite:///{folder}/mount/limner.db", **changes)


async def test_what_may_pass_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A disk that is not mounted yet: said once in the log, and to /readyz until it is there."""
    start = _Start(stop=asyncio.Event(), first_pause=0.001)
    assert start.trouble == "still starting"
    async with AsyncExitStack() as stack:
        opening = asyncio.create_task(start.opened(_settings(tmp_path), stack))

        async def has_trouble() -> bool:
            return "cannot be opened" in str(await start.checks["process"]())

        await eventually(has_trouble)
        with pytest.raises(UserError, match="not open yet"):
            await start.counts()
        assert str(tmp_path) not in str(start.trouble)
        (tmp_path / "mount").mkdir()
        runtime = await opening

        assert runtime is not None
        assert await start.checks["process"]() is None
        assert sum((await start.counts()).values()) == 0
    assert caplog.text.count("it cannot start yet") == 1


async def test_a_process_that_waits_can_be_stopped(tmp_path: Path) -> None:
    """It ends at once and in good order."""
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        opening = asyncio.create_task(_Start(stop=stop, first_pause=3600).opened(_settings(tmp_path), stack))
        stop.set()

        assert await opening is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"database": "oracle://host/name"}, "cannot use a database of kind oracle"),
        ({"model": "weights.ckpt"}, "is a pickle"),
    ],
)
async def test_what_only_a_setting_can_mend_ends_the_start(
    tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    """With its sentence, as for every command."""
    async with AsyncExitStack() as stack:
        with pytest.raises(UserError, match=words):
            await _Start(stop=asyncio.Event()).opened(_settings(tmp_path).model_copy(update=settings), stack)


async def _refused(runtime: Runtime) -> AsyncIterator[Joined]:
    raise LoginRefused("Discord refused DISCORD_TOKEN.")
    yield


async def test_a_refused_login_ends_it_only_where_no_other_platform_is_left() -> None:
    """Else the others go on; a process without any platform serves its queue."""
    discord = PlatformLink(name="Discord", join=asynccontextmanager(_refused))
    slack = PlatformLink(name="Slack", join=asynccontextmanager(_refused))
    runtime = cast("Runtime", SimpleNamespace(supervisor=Supervisor()))
    async with discord.running(runtime):
        await discord.settled()

        _check_refusals(())
        _check_refusals((discord, slack))
        with pytest.raises(UserError, match=r"Discord refused DISCORD_TOKEN\."):
            await _until_the_end(asyncio.Event(), (discord,))
