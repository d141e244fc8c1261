"""Messages and images on a terminal."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from handlers.messages.message import Button, Message, Mood

_SYMBOLS = {Mood.WAITING: "⏳", Mood.WORKING: "🎨", Mood.DONE: "✓", Mood.FAILED: "✗", Mood.CALM: "·"}
# `:fire:` in `<lora:fire:1>` would be an emoji.
_AS_IT_IS: Final[dict[str, Any]] = {"highlight": False, "emoji": False}
_BAR_WIDTH = 30
_IMAGE_COLUMNS = 40


@dataclass(slots=True, kw_only=True)
class Screen:
    """Draws messages; the status lines of running jobs stay at the bottom and are redrawn in place.

    Where another program owns the bottom of the screen (`draws_status` off), it shows `status_line` there.
    `buttons` are those shown so far; the first is typed as #1. Where nothing can be typed, none are shown.
    """

    console: Console
    draws_status: bool = True
    shows_buttons: bool = True
    buttons: list[Button] = field(default_factory=list)
    clock: Callable[[], float] = time.monotonic
    _running: dict[int, Message] = field(default_factory=dict)
    _lines: dict[str, float] = field(default_factory=dict)
    _live: Live | None = None

    def show_running(self, message: Message) -> None:
        """Show or replace the status line of a running job."""
        if message.job_id is None:
            return
        self._running[message.job_id] = message
        if not (self.draws_status and self.console.is_terminal):
            return
        if self._live is None:
            self._live = Live(console=self.console, transient=True, auto_refresh=False)
            self._live.start()
        self._live.update(self._status(), refresh=True)

    def show(self, message: Message, paths: tuple[Path, ...] = ()) -> None:
        """Print a message for good, with the images where the terminal can show them, and their paths."""
        self._end_running(message.job_id)
        self.console.print(
            f"{_SYMBOLS[message.mood]} [bold]{escape(message.headline)}[/bold]", highlight=False, emoji=False
        )
        for line in message.lines:
            self.console.print(f"  {escape(line)}", **_AS_IT_IS)
        for pointers in message.pointers:
            self.console.print(
                f"  {escape(pointers.label)}: {escape(', '.join(pointers.ids))}", highlight=False, emoji=False
            )
        if message.code:
            self.console.print(Text(f"  {message.code}"), soft_wrap=True)
        for path in paths:
            if path.suffix == ".png":
                self._draw(path)
            self.console.print(Text(f"  {path}"), soft_wrap=True)
        if message.footer:
            self.console.print(f"  [dim]{escape(message.footer)}[/dim]", **_AS_IT_IS)
        for row in message.buttons if self.shows_buttons else ():
            self.console.print(f"  [dim]{escape(self._numbered(row))}[/dim]", **_AS_IT_IS)

    def begin(self, line: str) -> None:
        """Let a typed line that takes its time stand in the status line."""
        self._lines[line] = self.clock()

    def end(self, line: str) -> None:
        """The line is answered."""
        self._lines.pop(line, None)

    def status_line(self) -> str:
        """The running jobs, and how long lines have been at work, in one line of plain text."""
        jobs = (
            f"{_SYMBOLS[message.mood]} {message.headline[:30]} · {' '.join(message.lines)}"
            for message in self._running.values()
        )
        working = _SYMBOLS[Mood.WORKING]
        lines = (f"{working} {line[:30]} · {self.clock() - began:.0f} s" for line, began in self._lines.items())
        return "   ".join((*jobs, *lines))

    def close(self) -> None:
        """Remove the status lines."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _numbered(self, row: tuple[Button, ...]) -> str:
        """The buttons as they are typed; each number is given once, so that it never changes its meaning."""
        words = []
        for button in row:
            self.buttons.append(button)
            words.append(f"#{len(self.buttons)} {button.label}")
        return "   ".join(words)

    def _end_running(self, job_id: int | None) -> None:
        if job_id is not None:
            self._running.pop(job_id, None)
        if self._live is not None:
            if self._running:
                self._live.update(self._status(), refresh=True)
            else:
                self.close()

    def _status(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        for message in self._running.values():
            bar = ProgressBar(
                total=message.bar.total if message.bar else 1,
                completed=message.bar.done if message.bar else 0,
                width=_BAR_WIDTH,
            )
            table.add_row(_SYMBOLS[message.mood], Text(message.headline[:40]), bar, Text(" ".join(message.lines)))
        return table

    def _draw(self, path: Path) -> None:
        """Draw the image itself: in pixels where the terminal can (kitty's protocol, sixel), else in half cells."""
        if self.console.is_terminal and _knows_its_size():
            self.console.print(image_class()(path, width=_IMAGE_COLUMNS, height="auto"))


def image_class() -> type:
    """The class that draws images here; the first call asks the terminal, so nothing else may be reading from it."""
    from textual_image.renderable import Image  # noqa: PLC0415 - importing it is what asks the terminal

    drawing: type = Image
    return drawing


def _knows_its_size() -> bool:
    """Whether the terminal reports its columns, which images need; some that only pass bytes on do not."""
    try:
        return os.get_terminal_size(sys.__stdout__.fileno() if sys.__stdout__ else -1).columns > 0
    except OSError:
        return False
