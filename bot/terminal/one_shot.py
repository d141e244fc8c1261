"""`limner imagine`: one command from the shell, which ends when its images are written."""

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from bot.assembly.runtime import Runtime, open_runtime, running_pool
from bot.assembly.settings import Settings
from bot.terminal.chat_platform import TerminalPlatform
from bot.terminal.rendering import Screen
from bot.terminal.session import TerminalSession
from bot.terminal.stop_signal import ending_at_sigterm
from handlers.commands.arguments import Value
from handlers.images.imagine import COMMAND
from handlers.images.options import ImagineOptions, request_options
from handlers.images.program_options import model_hash, taken_over
from handlers.images.repeated import left_out, with_own_loras
from handlers.messages.message import Message, Mood
from handlers.worker.worker import Worker
from pipeline.errors import UserError
from pipeline.images.file_parameters import own_or_other
from pipeline.images.metadata import ImageMetadata, parse, read
from pipeline.images.programs.parameters import ProgramParameters

_LOOK_SECONDS: Final = 0.5
_STOPPED: Final = "Stopped before the picture was made; run the same command again."


async def imagine_once(settings: Settings, raw: dict[str, Value], like: Path | None) -> bool:
    """Run /imagine with `raw` values, on top of those of the image `like`; whether it made an image."""
    screen = Screen(console=Console(), shows_buttons=False)
    platform = TerminalPlatform(folder=settings.images, screen=screen)
    said = read_image(like) if like else None
    with ending_at_sigterm(_STOPPED):
        async with open_runtime(settings) as runtime:
            final = await _made(runtime, platform, raw, said)
    for image in final.images:
        screen.console.print(Text(read(image.data).parameters(), style="dim"))
    return final.mood is Mood.DONE


async def _made(
    runtime: Runtime, platform: TerminalPlatform, raw: dict[str, Value], said: ImageMetadata | ProgramParameters | None
) -> Message:
    """The last message of the job; it is cancelled where it is broken off."""
    screen = platform.screen
    session = await TerminalSession.open(runtime, platform)
    waiting = await _asked(session, screen, raw, said)
    if waiting.job_id is None:
        raise UserError("{a|b} stands for several prompts; give one at a time here, or all of them in limner chat.")
    screen.show_running(waiting)
    async with running_pool(runtime, (platform,)) as worker:
        try:
            return await _delivered(platform, waiting.job_id, worker)
        except (asyncio.CancelledError, UserError):
            await runtime.context.queue.cancel(session.guild.id, waiting.job_id or 0)
            raise
        finally:
            screen.close()


async def _asked(
    session: TerminalSession, screen: Screen, raw: dict[str, Value], said: ImageMetadata | ProgramParameters | None
) -> Message:
    """The first message of the job, once what cannot be as in the image has been said; raises UserError."""
    match said:
        case None:
            return await session.call(COMMAND, raw)
        case ProgramParameters():
            taken = await taken_over(said, await session.caller(), session.context)
            screen.show(Message(headline=f"{said.program} made this picture.", lines=taken.notes))
            return await session.call(COMMAND, changed(taken.options, raw))
        case ImageMetadata():
            served = session.context.model(None)
            if said.model_hash not in {served.hash, await model_hash(served, session.context)}:
                screen.show(Message(headline="The picture was made with another model; this one will differ."))
            request = said.request()
            if not raw:
                return await session.repeat(request)
            caller = await session.caller()
            own = await with_own_loras(request, caller, session.context)
            if sentence := left_out(request):
                screen.show(Message(headline=sentence))
            return await session.call(COMMAND, changed(request_options(own, caller.guild.settings.default_vae), raw))


def changed(options: ImagineOptions, raw: Mapping[str, Value]) -> dict[str, Value]:
    """The values of `options` with `raw` ones instead; an aspect takes the place of width and height."""
    raw = dict(ImagineOptions.spelled_out(raw))
    replaced = {"width", "height"} if "aspect" in raw else set()
    return {**{name: value for name, value in options.given().items() if name not in replaced}, **raw}


def read_image(path: Path) -> ImageMetadata | ProgramParameters:
    """What the image at `path` says of how it was made; raises UserError."""
    try:
        said = own_or_other(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    return parse(said) if isinstance(said, str) else said


async def _delivered(platform: TerminalPlatform, job_id: int | None, worker: Worker) -> Message:
    """The job's last message; raises UserError when no device can be started to make it."""
    while len(worker.troubles) < len(worker.devices):
        with contextlib.suppress(TimeoutError):
            message = await asyncio.wait_for(platform.delivered.get(), _LOOK_SECONDS)
            if message.job_id == job_id:
                return message
    raise UserError("; ".join(worker.troubles.values()))
