"""The text chunks of a PNG (PNG specification, third edition, section 11.3.3), read without decoding the file.

Pillow would decode an untrusted one, and inflate what is compressed in it; it writes ours.
"""

import io
import struct
import zlib
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Final

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.errors import UserError

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
MAX_TEXT_BYTES: Final = 1024 * 1024
_HEADER_END: Final = len(SIGNATURE) + 8 + 13 + 4
_KINDS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_MOST_CHUNKS: Final = 20_000
"""More than an encoder makes of the largest image that is taken, and walked through in milliseconds."""


def write_png(image: Image.Image, texts: Mapping[str, str]) -> bytes:
    """Encode an image as a PNG with text chunks before its pixels: tEXt where Latin-1 holds the text, else iTXt.

    Args:
        image: of any mode that a PNG has.
        texts: by keyword, which is ASCII; what no chunk can hold, such as NUL, is left out.

    Returns:
        The file.
    """
    info, file = PngInfo(), io.BytesIO()
    for keyword, text in texts.items():
        info.add_text(keyword, text.replace("\0", "").encode(errors="replace").decode())
    image.save(file, "PNG", pnginfo=info)
    return file.getvalue()


def read_texts(png: bytes) -> dict[str, str]:
    """The uncompressed texts of a PNG; compressed ones are left alone.

    Args:
        png: an untrusted file.

    Returns:
        By keyword, the first of each; none longer than MAX_TEXT_BYTES.

    Raises:
        UserError: the file is no PNG, is cut short, or a checksum is wrong.
    """
    return texts_of(read_chunks(png, _KINDS))


def texts_of(chunks: Iterable[tuple[bytes, bytes]], *, inflate: bool = False) -> dict[str, str]:
    """The texts in some chunks.

    Args:
        chunks: kinds and bodies, of an untrusted file.
        inflate: read compressed ones too.

    Returns:
        By keyword, the first of each; none longer than MAX_TEXT_BYTES.
    """
    texts: dict[str, str] = {}
    for kind, body in chunks:
        if kind not in _KINDS or len(body) > MAX_TEXT_BYTES:
            continue
        keyword, _, rest = body.partition(b"\0")
        if (text := _text(kind, rest, inflate)) is not None:
            texts.setdefault(keyword.decode("latin-1"), text)
    return texts


def read_chunks(png: bytes, kinds: Container[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of some kinds.

    Args:
        png: an untrusted file.
        kinds: such as b"tEXt".

    Returns:
        Each one's kind and body, in the file's order; raises UserError as `read_texts`.
    """
    return ((kind, body) for kind, body in _chunks(png) if kind in kinds)


def read_size(png: bytes) -> tuple[int, int]:
    """What the header of a PNG says of its size.

    Args:
        png: a file, or its beginning.

    Returns:
        Width and height in pixels.

    Raises:
        UserError: the file is no PNG.
    """
    _check_signature(png)
    width, height = struct.unpack_from(">II", png, len(SIGNATURE) + 8)
    return width, height


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each chunk's kind and body, until the last one or the limit of their number."""
    _check_signature(png)
    view, place = memoryview(png), len(SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        if place >= len(png):
            return
        if place + 12 > len(png):
            raise UserError("The picture is cut short; send the original file.")
        length, kind = struct.unpack_from(">I4s", png, place)
        end = place + 12 + length
        if end > len(png):
            raise UserError("The picture is cut short; send the original file.")
        if zlib.crc32(view[place + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise UserError("The picture is damaged; send the original file.")
        yield kind, png[place + 8 : end - 4]
        if kind == b"IEND":
            return
        place = end
    raise UserError("The picture is in too many pieces; send the original file.")


def _text(kind: bytes, rest: bytes, inflate: bool) -> str | None:
    """The text of a chunk after its keyword; None if it is damaged, is compressed and should not be, or too long."""
    if kind == b"tEXt":
        return rest.decode("latin-1")
    if kind == b"zTXt":
        unpacked = _inflated(rest[1:]) if inflate else None
        return None if unpacked is None else unpacked.decode("latin-1")
    packed = rest[:1] != b"\0"
    _language, _, rest = rest[2:].partition(b"\0")
    _translated, _, body = rest.partition(b"\0")
    text = body if not packed else _inflated(body) if inflate else None
    try:
        return None if text is None else text.decode()
    except UnicodeDecodeError:
        return None


def _inflated(packed: bytes) -> bytes | None:
    """What is compressed in it; None where that is damaged, or longer than MAX_TEXT_BYTES: a bomb is no text."""
    unpacking = zlib.decompressobj()
    try:
        unpacked = unpacking.decompress(packed, MAX_TEXT_BYTES)
    except zlib.error:
        return None
    return unpacked if unpacking.eof else None


def _check_signature(png: bytes) -> None:
    if not png.startswith(SIGNATURE) or len(png) < _HEADER_END:
        raise UserError("This is not a PNG picture; send the original file.")
