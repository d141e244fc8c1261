"""Lines at the terminal: a quick one is answered before the next is asked for, a slow one beside it."""

import asyncio
import io

import pytest
from rich.console import Console

from bot.terminal.rendering import Screen
from bot.terminal.running_lines import RunningLines


class Session:
    """Answers a line when the test says so."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def run_line(self, line: str) -> str:
        if line == "slow":
            await self.go_on.wait()
        if line == "broken":
            await self.go_on.wait()
            raise OSError("The disk is gone.")
        return f"/draft of {line}"


@pytest.fixture
def text() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def lines(session: Session, text: io.StringIO) -> RunningLines:
    screen = Screen(console=Console(file=text, width=120))
    return RunningLines(run=session.run_line, screen=screen, patience_seconds=0.01)


async def test_a_quick_line_gives_its_draft_to_the_next(lines: RunningLines) -> None:
    """Nothing of it is left in the status line."""
    lines.patience_seconds = 60.0

    assert await lines.take("quick") == "/draft of quick"
    assert (lines.names, lines.screen.status_line()) == ((), "")


async def test_a_slow_line_runs_on_beside_the_prompt(lines: RunningLines, session: Session, text: io.StringIO) -> None:
    """Others are answered meanwhile; in the end its draft is shown, since the prompt holds another line by then."""
    assert await lines.take("slow") == ""
    assert lines.screen.status_line().endswith("slow · 0 s")
    lines.patience_seconds = 60.0
    assert await lines.take("quick") == "/draft of quick"

    session.go_on.set()
    await lines.finish()

    assert "/draft of slow" in text.getvalue()
    assert (lines.names, lines.screen.status_line()) == ((), "")


async def test_a_slow_line_that_breaks_says_so(
    lines: RunningLines, session: Session, text: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    """To the member in a sentence, to the log with its cause; the others go on."""
    await lines.take("broken")

    session.go_on.set()
    await lines.finish()

    assert "broken failed because of a fault on our side." in text.getvalue()
    assert "The disk is gone." in caplog.text


async def test_a_line_that_is_given_up_says_nothing(lines: RunningLines, text: io.StringIO) -> None:
    """Anyone who leaves at once does not wait for it."""
    await lines.take("slow")

    lines.cancel()
    await lines.finish()

    assert (lines.names, text.getvalue()) == ((), "")
