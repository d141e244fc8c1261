"""Images on real pseudo-terminals that answer as kitty, as a sixel terminal, and not at all."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from PIL import Image

SHOW = """
import sys
from pathlib import Path
from rich.console import Console
from bot.terminal.rendering import Screen
from handlers.messages.message import Message
Screen(console=Console(width=80)).show(Message(headline="fox"), (Path(sys.argv[1]),))
"""

Answers = dict[bytes, bytes]
"""What a terminal answers: a pattern of the question, and the answer, which may use the pattern's groups."""

SIXEL: Answers = {rb"\x1b\[c": b"\x1b[?62;4c"}
KITTY: Answers = {rb"\x1b\[c": b"\x1b[?62c", rb"\x1b_Gi=(\d+),": b"\x1b_Gi=\\1;OK\x1b\\\\"}
SIZED = struct.pack("HHHH", 24, 80, 800, 480)
UNSIZED = struct.pack("HHHH", 0, 0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answers", "size", "drawn"),
    [
        (SIXEL, SIZED, b"\x1bP"),
        (KITTY, SIZED, b"\x1b_G"),
        ({}, SIZED, "▀".encode()),
        ({}, UNSIZED, b""),
    ],
    ids=["sixel", "kitty", "half cells", "no size, no picture"],
)
def test_an_image_shows_in_the_terminals_own_way(tmp_path: Path, answers: Answers, size: bytes, drawn: bytes) -> None:
    """Sixel where the terminal says so, kitty's protocol where it answers to that, half cells on any other."""
    path = tmp_path / "fox.png"
    Image.new("RGB", (64, 64), "teal").save(path)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and words
        [sys.executable, "-c", SHOW, str(path)], stdin=slave, stdout=slave, stderr=subprocess.STDOUT, env=environment,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    os.close(slave)

    shown = _converse(master, dict(answers))

    assert process.wait() == 0, shown.decode(errors="replace")
    assert drawn in shown.split(b"fox", 1)[1]
    assert b"fox.png" in shown


def _converse(master: int, answers: Answers) -> bytes:
    """Read what a program writes to its terminal until it ends, answering each question once."""
    written = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # the program has closed its terminal
            break
        if not chunk:
            break
        written += chunk
        for question in list(answers):
            if asked := re.search(question, written):
                os.write(master, asked.expand(answers.pop(question)))
    os.close(master)
    return written
