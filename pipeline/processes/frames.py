"""How messages travel between a worker and its processes: a length, then a pickle, over a pipe of their own."""

import asyncio
import pickle
from typing import BinaryIO, Final

_LENGTH_BYTES: Final = 8


def pack(message: object) -> bytes:
    """The bytes of one message."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return len(body).to_bytes(_LENGTH_BYTES, "little") + body


def read(stream: BinaryIO) -> object | None:
    """The next message; None at the end of the stream, which may come at any byte."""
    head = stream.read(_LENGTH_BYTES)
    if len(head) < _LENGTH_BYTES:
        return None
    length = int.from_bytes(head, "little")
    body = stream.read(length)
    return _unpack(body) if len(body) == length else None


async def receive(reader: asyncio.StreamReader) -> object | None:
    """The next message, as `read`."""
    try:
        length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "little")
        return _unpack(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def _unpack(body: bytes) -> object:
    message: object = pickle.loads(body)  # noqa: S301  both ends are our own processes, on a private pipe
    return message
