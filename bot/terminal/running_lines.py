"""Lines that were typed and are not answered yet: a slow one runs on beside the prompt."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bot.terminal.rendering import Screen
from handlers.messages.message import Message, Mood

_log = logging.getLogger(__name__)


def draft_message(draft: str) -> Message:
    """What to say of a line that begins the next one, where nothing can be filled in."""
    return Message(headline="To change it, run this:", code=draft)


@dataclass(slots=True, kw_only=True)
class RunningLines:
    """Lines at work; `run` answers one and returns what the next should begin with.

    One that takes longer than `patience_seconds` stands in the status line of `screen` until it is answered.
    """

    run: Callable[[str], Awaitable[str]]
    screen: Screen
    patience_seconds: float = 0.3
    _tasks: dict[asyncio.Task[str], str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The lines that are not answered yet."""
        return tuple(self._tasks.values())

    async def take(self, line: str) -> str:
        """Run a line; returns its draft if it is answered at once, else nothing, and it runs on."""
        task = asyncio.create_task(self._run(line))
        answered, _ = await asyncio.wait({task}, timeout=self.patience_seconds)
        if answered:
            return task.result()
        self._tasks[task] = line
        self.screen.begin(line)
        task.add_done_callback(self._end)
        return ""

    async def finish(self) -> None:
        """Wait for the lines that are not answered yet."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cancel(self) -> None:
        """Give up the lines that are not answered yet."""
        for task in self._tasks:
            task.cancel()

    async def _run(self, line: str) -> str:
        return await self.run(line)

    def _end(self, task: asyncio.Task[str]) -> None:
        line = self._tasks.pop(task)
        self.screen.end(line)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            _log.error("%s failed", line, exc_info=error)
            self.screen.show(Message(headline=f"{line} failed because of a fault on our side.", mood=Mood.FAILED))
        elif draft := task.result():
            self.screen.show(draft_message(draft))
