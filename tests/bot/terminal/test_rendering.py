"""Messages and images as the terminal shows and keeps them."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from bot.terminal.chat_platform import TerminalPlatform
from bot.terminal.rendering import Screen
from handlers.messages.chat_platform import TryLater
from handlers.messages.message import Bar, Message, Mood, ShownImage
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress
from tests.fakes import FakeClock, png, request

ADDRESS = ReplyAddress(platform=Platform.TERMINAL, channel_id="terminal", user_id="ada")


def _screen() -> tuple[Screen, io.StringIO]:
    text = io.StringIO()
    return Screen(console=Console(file=text, width=100)), text


def _done(data: bytes, job_id: int = 1) -> Message:
    image = ShownImage(data=data, file_name="red-fox-1-1.png", alt_text="red fox")
    return Message(headline="red fox", mood=Mood.DONE, images=(image,), footer="seed 7", job_id=job_id)


async def test_a_delivered_image_lies_in_the_folder_and_its_path_is_printed(tmp_path: Path) -> None:
    """The path can be copied: it is printed whole, on a line of its own."""
    screen, text = _screen()
    chat = TerminalPlatform(folder=tmp_path / "images", screen=screen)

    await chat.deliver(ADDRESS, _done(png(request())), "nonce")

    path = tmp_path / "images" / "red-fox-1-1.png"
    assert path.read_bytes() == png(request())
    assert str(path) in text.getvalue().replace("\n", "")
    assert "seed 7" in text.getvalue()


async def test_delivering_twice_leaves_one_file_and_another_image_is_never_overwritten(tmp_path: Path) -> None:
    """A crash between post and mark repeats the post; a new database counts jobs from 1 again."""
    chat = TerminalPlatform(folder=tmp_path, screen=_screen()[0])

    for image in (png(request()), png(request()), png(request(seed=8))):
        await chat.deliver(ADDRESS, _done(image), "nonce")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["red-fox-1-1.png", "red-fox-1-1~2.png"]


async def test_a_file_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    """Whatever a message claims, only the name counts."""
    chat = TerminalPlatform(folder=tmp_path / "images", screen=_screen()[0])
    image = ShownImage(data=b"x", file_name="../../escaped.png", alt_text="")

    await chat.deliver(ADDRESS, Message(headline="fox", images=(image,)), "nonce")

    assert (tmp_path / "images" / "escaped.png").exists()


async def test_a_folder_that_cannot_be_written_delays_the_delivery(tmp_path: Path) -> None:
    """The image is kept and tried again."""
    blocked = tmp_path / "a file"
    blocked.write_text("in the way")
    chat = TerminalPlatform(folder=blocked, screen=_screen()[0])

    with pytest.raises(TryLater, match="cannot be written"):
        await chat.deliver(ADDRESS, _done(b"x"), "nonce")


def test_untrusted_words_are_not_markup() -> None:
    """Rich's own tags in a prompt are shown as they were typed."""
    screen, text = _screen()

    screen.show(Message(headline="[red]fox[/red] [link=file:///etc]", mood=Mood.FAILED, lines=("[bold]no[/bold]",)))

    assert "[red]fox[/red] [link=file:///etc]" in text.getvalue()
    assert "[bold]no[/bold]" in text.getvalue()


def test_the_status_line_tells_what_runs_until_it_is_done() -> None:
    """The prompt's toolbar shows it while another program owns the screen."""
    screen, _ = _screen()
    screen.show_running(
        Message(headline="red fox", mood=Mood.WORKING, lines=("3 of 20 steps",), bar=Bar(done=3, total=20), job_id=1)
    )
    assert screen.status_line() == "🎨 red fox · 3 of 20 steps"

    screen.show(_done(b"", job_id=1))
    assert screen.status_line() == ""


def test_the_status_line_tells_for_how_long_a_line_is_at_work() -> None:
    """A command that takes its time leaves the prompt free."""
    screen, _ = _screen()
    clock = FakeClock()
    screen.clock = clock
    screen.begin("/subject export rex")
    clock.advance(7)
    assert screen.status_line() == "🎨 /subject export rex · 7 s"

    screen.end("/subject export rex")
    assert screen.status_line() == ""


def test_a_terminal_gets_a_moving_bar() -> None:
    """Each state is drawn over the last one."""
    text = io.StringIO()
    screen = Screen(console=Console(file=text, force_terminal=True, width=100))

    for step in (1, 20):
        message = Message(
            headline="fox", mood=Mood.WORKING, lines=(f"{step} of 20 steps",), bar=Bar(done=step, total=20), job_id=1
        )
        screen.show_running(message)
    screen.close()

    assert "━" in text.getvalue()
    assert "20 of 20 steps" in text.getvalue()


def test_a_tag_is_no_emoji() -> None:
    """`:fire:` is one in rich's markup."""
    screen, text = _screen()
    screen.show(Message(headline="<lora:fire:1>", lines=("<lora:x:1>",), footer=":cat:"))

    assert all(words in text.getvalue() for words in ("<lora:fire:1>", "<lora:x:1>", ":cat:"))
