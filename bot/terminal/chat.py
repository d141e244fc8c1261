"""`limner chat`: the commands of every platform, at a prompt."""

import asyncio
import signal
import sys
from collections.abc import Sequence
from typing import Final, TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.patch_stdout import patch_stdout
from rich.console import Console

from bot.assembly.runtime import open_runtime, running_pool
from bot.assembly.settings import Settings
from bot.terminal.chat_platform import TerminalPlatform
from bot.terminal.completer import CommandCompleter
from bot.terminal.history import ChatHistory
from bot.terminal.rendering import Screen, image_class
from bot.terminal.running_lines import RunningLines, draft_message
from bot.terminal.session import TerminalSession
from bot.terminal.stop_signal import ending_at_sigterm
from handlers.commands.typed import MAX_LINE
from handlers.messages.message import Message, Mood
from handlers.worker.worker import Worker

_MOST_READ: Final = 2 * MAX_LINE
_NAMED: Final = 3
_STOPPED: Final = "Limner was stopped; what is not finished goes on next time."
_WELCOME = "Type a prompt, a command (/help lists them) or a button (#1). Ctrl-D leaves; the queue goes on next time."


async def chat(settings: Settings) -> None:
    """Read commands until the end of input; at the end wait for the jobs of a pipe, but not for those of a person."""
    interactive = sys.stdin.isatty()
    screen = Screen(console=Console(), draws_status=not interactive)
    platform = TerminalPlatform(folder=settings.images, screen=screen)
    async with open_runtime(settings) as runtime, running_pool(runtime, (platform,)) as worker:
        session = await TerminalSession.open(runtime, platform)
        if interactive:
            lines = RunningLines(run=session.run_line, screen=screen)
            with ending_at_sigterm(_STOPPED):
                try:
                    await _converse(settings, session, screen, lines)
                    await _leave(worker, session, lines)
                except asyncio.CancelledError:
                    lines.cancel()
                    worker.hurry()
                    raise
        else:
            await _read_all(session)
    screen.close()


async def _leave(worker: Worker, session: TerminalSession, lines: RunningLines) -> None:
    """Say what is waited for, and let Ctrl-C end the wait: what is unfinished then goes back to the queue."""
    titles = tuple(session.context.jobs.title(job) for job in worker.running)
    if (message := leaving_words((*titles, *lines.names), worker.drain_seconds)) is None:
        return
    loop = asyncio.get_running_loop()

    def leave_now() -> None:
        loop.remove_signal_handler(signal.SIGINT)  # a second Ctrl-C ends the process as it is
        lines.cancel()
        worker.hurry()

    loop.add_signal_handler(signal.SIGINT, leave_now)
    session.chat.screen.show(message)
    await lines.finish()


def leaving_words(waited_for: Sequence[str], seconds: float) -> Message | None:
    """What a person reads who leaves while something is being made; None where nothing is."""
    if not waited_for:
        return None
    named = ", ".join(f"'{title:.40}'" for title in waited_for[:_NAMED])
    more = f" and {len(waited_for) - _NAMED} more" if len(waited_for) > _NAMED else ""
    return Message(
        headline=f"Waiting for {named}{more}; Ctrl-C leaves at once.",
        lines=(f"Pictures get {seconds:g} s; what is not finished by then goes on next time.",),
        mood=Mood.WAITING,
    )


async def _converse(settings: Settings, session: TerminalSession, screen: Screen, lines: RunningLines) -> None:
    prompt: PromptSession[str] = PromptSession(
        "› ",
        completer=CommandCompleter(guild=session.guild, member=session.member, context=session.context),
        history=ChatHistory(settings.data / "chat-history", session.context.commands),
        bottom_toolbar=screen.status_line,
        refresh_interval=0.2,
    )
    image_class()
    with patch_stdout(raw=True):
        screen.console = Console(force_terminal=True)
        screen.console.print(_WELCOME, style="dim")
        draft = ""
        while True:
            try:
                line = await prompt.prompt_async(default=draft)
            except KeyboardInterrupt:
                draft = ""
                continue
            except EOFError:
                return
            draft = await lines.take(line) if line.strip() else ""


def read_line(file: TextIO) -> str:
    """The next line, empty at the end; of one that is far too long only so much that this is seen."""
    line = file.readline(_MOST_READ)
    rest = line
    while len(rest) == _MOST_READ and not rest.endswith("\n"):
        rest = file.readline(_MOST_READ)
    return line


async def _read_all(session: TerminalSession) -> None:
    """Run every line of a pipe, then wait until all of its images are there."""
    while line := await asyncio.to_thread(read_line, sys.stdin):
        if line.strip() and (draft := await session.run_line(line)):
            session.chat.screen.show(draft_message(draft))
    await session.wait_until_delivered()
