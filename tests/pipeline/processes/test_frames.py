"""Messages in frames: whole ones are read, torn ones are the end."""

import asyncio
import io

import pytest

from pipeline.processes import frames

MESSAGES = [None, "one", {"two": 2}, b"\0" * 1000]


def test_messages_are_read_in_their_order() -> None:
    """Then the end."""
    stream = io.BytesIO(b"".join(map(frames.pack, MESSAGES[1:])))

    assert [frames.read(stream) for _ in MESSAGES] == [*MESSAGES[1:], None]


@pytest.mark.parametrize("left", [0, 1, 7, 8, 20])
async def test_a_torn_frame_is_the_end(left: int) -> None:
    """At any byte, for both readers."""
    torn = frames.pack("a message of some length")[:left]
    reader = asyncio.StreamReader()
    reader.feed_data(torn)
    reader.feed_eof()

    assert frames.read(io.BytesIO(torn)) is None
    assert await frames.receive(reader) is None


async def test_a_message_that_comes_in_pieces_is_whole() -> None:
    """A pipe gives what it has."""
    reader = asyncio.StreamReader()
    receiving = asyncio.ensure_future(frames.receive(reader))
    for byte in frames.pack("slow"):
        reader.feed_data(bytes([byte]))

    assert await receiving == "slow"
