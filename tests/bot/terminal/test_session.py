"""A member at the terminal: lines, buttons by number, and drafts."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bot.assembly.runtime import Runtime
from bot.assembly.settings import Settings
from bot.terminal.chat_platform import TerminalPlatform
from bot.terminal.rendering import Screen
from bot.terminal.session import TerminalSession
from handlers.commands.context import AppContext
from handlers.delivery.delivery import Delivery
from handlers.loras.import_request import LORA_ORDER
from storage.database import Database
from storage.guilds.guilds import Guild
from storage.queue.images import NewImage
from storage.queue.jobs import Done
from tests.brushes import with_brushes
from tests.fakes import png, request


async def _finish_next(session: TerminalSession) -> None:
    """Render and deliver the next job of the queue."""
    queue = session.context.queue
    claim = await queue.claim("worker")
    assert claim is not None
    blob = await session.context.blobs.put(png(request(seed=claim.job.id)))
    await queue.record_image(claim, NewImage(index=0, blob=blob, width=64, height=64, seed=7, parameters=""))
    await queue.settle(claim, Done(device_seconds=1.0))
    await Delivery(context=session.context, chat=session.chat, poster="test").deliver_due()


def _number_of(label: str, text: io.StringIO) -> str:
    """The newest `#3`-like number in front of `label`."""
    words = text.getvalue().split()
    return words[max(index for index, word in enumerate(words) if word == label) - 1]


async def test_a_bare_line_is_a_prompt(session: TerminalSession, guild: Guild) -> None:
    """What most lines are needs no command."""
    await session.run_line("a red fox --steps 5")

    [job] = await session.context.queue.guild_jobs(guild.id)
    assert '"a red fox"' in job.payload


async def test_buttons_are_pressed_by_their_numbers(session: TerminalSession, guild: Guild, text: io.StringIO) -> None:
    """Again renders another seed; its own buttons get numbers of their own."""
    await session.run_line("fox --seed 1")
    await _finish_next(session)
    again = _number_of("Again", text)

    await session.run_line(again)
    await _finish_next(session)

    newest, first = await session.context.queue.guild_jobs(guild.id)
    assert ('"seed":42' in newest.payload, '"seed":1,' in first.payload) == (True, True)
    assert _number_of("Again", text) != again
    assert len(list(session.chat.folder.iterdir())) == 2


async def test_edit_gives_the_command_to_change(session: TerminalSession, text: io.StringIO) -> None:
    """The draft asks for the same image and is a line that can be run as it is."""
    await session.run_line("a fox's den --seed 1 --steps 5")
    await _finish_next(session)

    draft = await session.run_line(_number_of("Edit", text))

    assert draft.startswith("/imagine a fox's den --")
    assert "--seed 1" in draft
    assert await session.run_line(draft) == ""
    assert len(await session.context.queue.guild_jobs(session.guild.id)) == 2


async def test_info_shows_a_command_that_can_be_pasted_back(session: TerminalSession, text: io.StringIO) -> None:
    """Long as it is, it is not broken into pieces."""
    await session.run_line("fox --seed 1 --steps 5")
    await _finish_next(session)

    await session.run_line(_number_of("Info", text))

    [line] = [line for line in text.getvalue().splitlines() if "/imagine fox" in line]
    assert "--steps 5" in line


async def test_a_button_that_was_never_shown_is_a_sentence(session: TerminalSession, text: io.StringIO) -> None:
    """Nothing is guessed."""
    await session.run_line("#99")

    assert "There is no button #99" in text.getvalue()


async def test_an_export_becomes_a_file(session: TerminalSession, text: io.StringIO) -> None:
    """What is kept of the person at the terminal, as JSON beside the images."""
    await session.run_line("red fox")

    await session.run_line("/privacy export")

    [path] = session.chat.folder.glob("*.json")
    assert "red fox" in path.read_text()
    assert path.name in text.getvalue().replace("\n", "")


async def test_a_command_of_two_words_is_typed_with_both(session: TerminalSession, text: io.StringIO) -> None:
    """The first alone lists the actions; a wrong second word names the nearest."""
    session = replace(session, context=with_brushes(session.context))

    await session.run_line("/brush list")
    await session.run_line("/brush")
    await session.run_line("/brush lisst")

    assert "No brushes yet" in text.getvalue()
    assert "/brush load: Load a brush from a file. For example: /brush load soft" in text.getvalue()
    assert "did you mean /brush list?" in text.getvalue()


async def test_a_file_is_named_by_its_path(session: TerminalSession, text: io.StringIO, tmp_path: Path) -> None:
    """It is copied into the store, so that it may be changed or deleted at once."""
    session = replace(session, context=with_brushes(session.context))
    (tmp_path / "my brush.png").write_bytes(bytes(900_000) + b"\xde\xad\xbe\xef")

    await session.run_line(f"/brush load soft --tip round --file {tmp_path / 'my brush.png'}")

    assert "soft is my brush.png of 900004 bytes, deadbeef at its end" in text.getvalue()


async def test_a_path_where_a_link_belongs_is_a_file(session: TerminalSession, tmp_path: Path) -> None:
    """Nobody at a terminal means a page of the web by it."""
    (tmp_path / "wax.safetensors").write_bytes(bytes(9))

    await session.run_line(f"/lora add {tmp_path / 'wax.safetensors'} --name wax")

    (job,) = await session.context.queue.guild_jobs(session.guild.id)
    order = LORA_ORDER.read(job.payload)
    assert (order.link, order.file_name, order.name) == (None, "wax.safetensors", "wax")


@pytest.mark.parametrize(
    ("path", "words"),
    [("nowhere.png", "cannot be read: No such file"), ("", "needs a value"), ("/dev/zero", "is no file")],
)
async def test_a_path_that_leads_to_no_file_is_a_sentence(
    session: TerminalSession, text: io.StringIO, path: str, words: str
) -> None:
    """Nothing that flows without end is opened."""
    session = replace(session, context=with_brushes(session.context))

    await session.run_line(f"/brush load soft --file {path}")

    assert words in text.getvalue()


@pytest.mark.parametrize(("settings", "most"), [({}, None), ({"waiting_jobs": 3}, 3)])
async def test_the_only_member_waits_for_nobody_unless_a_limit_is_set(
    context: AppContext, sqlite: Database, tmp_path: Path, text: io.StringIO, settings: dict[str, Any], most: int | None
) -> None:
    """A pipe may be as long as it is; who sets the limit means it."""
    runtime = Runtime(
        context=replace(context, most_waiting=3),
        database=sqlite,
        settings=Settings(_env_file=None, data=tmp_path, **settings),
    )
    chat = TerminalPlatform(folder=tmp_path / "images", screen=Screen(console=Console(file=text)))

    session = await TerminalSession.open(runtime, chat)
    for number in range(5):
        await session.run_line(f"fox {number}")

    assert session.context.most_waiting == most
    assert len(await context.queue.guild_jobs(session.guild.id)) == (most or 5)
