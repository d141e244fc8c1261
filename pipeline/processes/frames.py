"""How messages travel between a worker and its processes: a length, then a pickle, over a pipe of their own."""

import asyncio
import pickle
from typing import BinaryIO, Final

_LENGTH_BYTES: Final = 8


def pack(message: object) -> bytes:
    """A message as the bytes of a frame: its length in eight bytes, little-endian, then its pickle.

    Args:
        message: anything that can be pickled.

    Returns:
        The frame.
    """
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return len(body).to_bytes(_LENGTH_BYTES, "little") + body


def read(stream: BinaryIO) -> object | None:
    """The next message of a pipe; waits for it.

    Args:
        stream: a binary stream whose writer is a process of ours, since unpickling runs code.

    Returns:
        The message; None at the end of the stream, which may come in the middle of a frame.
    """
    head = stream.read(_LENGTH_BYTES)
    if len(head) < _LENGTH_BYTES:
        return None
    length = int.from_bytes(head, "little")
    body = stream.read(length)
    return _unpack(body) if len(body) == length else None


async def receive(reader: asyncio.StreamReader) -> object | None:
    """The next message of a pipe, as `read`, for asyncio.

    Args:
        reader: the pipe, whose writer is a process of ours.

    Returns:
        The message; None at the end of the stream.
    """
    try:
        length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "little")
        return _unpack(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def _unpack(body: bytes) -> object:
    message: object = pickle.loads(body)  # noqa: S301  both ends are our own processes, on a private pipe
    return message
