"""The text chunks of a PNG (PNG specification, third edition, section 11.3.3), read and written without decoding it."""

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from pipeline.errors import UserError

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
MAX_TEXT_BYTES: Final = 1024 * 1024
_HEADER_END: Final = len(SIGNATURE) + 8 + 13 + 4


def with_texts(png: bytes, texts: dict[str, str]) -> bytes:
    """Put text chunks behind a PNG's header: tEXt where Latin-1 holds the text, else iTXt.

    Args:
        png: a PNG file.
        texts: by keyword, which is ASCII.

    Returns:
        The file with the chunks.

    Raises:
        UserError: the file is no PNG.
    """
    _check_signature(png)
    chunks = b"".join(_text_chunk(keyword, text) for keyword, text in texts.items())
    return png[:_HEADER_END] + chunks + png[_HEADER_END:]


def read_texts(png: bytes) -> dict[str, str]:
    """The uncompressed texts of a PNG; compressed ones are left alone, so that nothing can expand.

    Args:
        png: an untrusted file.

    Returns:
        By keyword, the first of each; none longer than MAX_TEXT_BYTES.

    Raises:
        UserError: the file is no PNG, is cut short, or a checksum is wrong.
    """
    texts: dict[str, str] = {}
    for kind, body in _chunks(png):
        if kind not in {b"tEXt", b"iTXt"} or len(body) > MAX_TEXT_BYTES:
            continue
        keyword, _, rest = body.partition(b"\0")
        text = rest.decode("latin-1") if kind == b"tEXt" else _international(rest)
        if text is not None:
            texts.setdefault(keyword.decode("latin-1"), text)
    return texts


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    _check_signature(png)
    place = len(SIGNATURE)
    while place < len(png):
        if place + 12 > len(png):
            raise UserError("The picture is cut short; send the original file.")
        length, kind = struct.unpack_from(">I4s", png, place)
        end = place + 12 + length
        if end > len(png):
            raise UserError("The picture is cut short; send the original file.")
        body = png[place + 8 : end - 4]
        if zlib.crc32(kind + body) != int.from_bytes(png[end - 4 : end], "big"):
            raise UserError("The picture is damaged; send the original file.")
        yield kind, body
        if kind == b"IEND":
            return
        place = end


def _text_chunk(keyword: str, text: str) -> bytes:
    key = keyword.encode("ascii") + b"\0"
    try:
        return _chunk(b"tEXt", key + text.replace("\0", "").encode("latin-1"))
    except UnicodeEncodeError:
        return _chunk(b"iTXt", key + b"\0\0\0\0" + text.replace("\0", "").encode(errors="replace"))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + zlib.crc32(kind + body).to_bytes(4, "big")


def _international(rest: bytes) -> str | None:
    """The text of an iTXt chunk after its keyword; None if it is compressed or not UTF-8."""
    if rest[:1] != b"\0":
        return None
    _language, _, rest = rest[2:].partition(b"\0")
    _translated, _, text = rest.partition(b"\0")
    try:
        return text.decode()
    except UnicodeDecodeError:
        return None


def _check_signature(png: bytes) -> None:
    if not png.startswith(SIGNATURE) or len(png) < _HEADER_END:
        raise UserError("This is not a PNG picture; send the original file.")
