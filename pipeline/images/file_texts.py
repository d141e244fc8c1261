"""The texts that an image file carries, read without decoding its pixels: of a PNG, and EXIF's of any kind of file.

EXIF lies in a PNG's eXIf, in a JPEG's APP1 segment and in a WebP's EXIF chunk (CIPA DC-008).
"""

import struct
import warnings
from contextlib import suppress
from typing import Final

from PIL import Image

from pipeline.errors import UserError
from pipeline.images.png_text import MAX_TEXT_BYTES, SIGNATURE, read_chunks, texts_of

_MOST_PARTS: Final = 5000
_EXIF: Final = b"Exif\0\0"
_IFD: Final = 0x8769
_USER_COMMENT: Final = 0x9286
_TAGS: Final = {0x010E: "ImageDescription", 0x010F: "Make", 0x0110: "Model", 0x0131: "Software"}
_JPEG_START: Final = b"\xff\xd8"
_NO_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_SCAN: Final = 0xDA
_NO_IMAGE: Final = "This is not a PNG picture, a JPEG or a WebP; send the original file."


def file_texts(data: bytes) -> dict[str, str]:
    """The texts of an image file.

    Args:
        data: an untrusted file.

    Returns:
        By keyword, none longer than MAX_TEXT_BYTES; EXIF's comment is `UserComment`, and what ComfyUI writes into EXIF
        as "prompt:{…}" has its own keyword.

    Raises:
        UserError: the file is no image of these kinds, or a PNG that is damaged.
    """
    if data.startswith(SIGNATURE):
        chunks = list(read_chunks(data, {b"tEXt", b"iTXt", b"zTXt", b"eXIf"}))
        exif = next((body for kind, body in chunks if kind == b"eXIf"), b"")
        texts = {keyword: _as_utf_8(text) for keyword, text in texts_of(chunks, inflate=True).items()}
        return {**_exif_texts(exif), **texts}
    if data.startswith(_JPEG_START):
        return _exif_texts(_jpeg_exif(data))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _exif_texts(_webp_exif(data))
    raise UserError(_NO_IMAGE)


def _as_utf_8(text: str) -> str:
    """A text that a program wrote in UTF-8 where the format says Latin-1, as it was meant."""
    try:
        return text if text.isascii() else text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _jpeg_exif(data: bytes) -> bytes:
    """The first EXIF segment before the pixels."""
    place = 2
    for _ in range(_MOST_PARTS):
        if place + 4 > len(data) or data[place] != 0xFF:
            return b""
        marker = data[place + 1]
        if marker == _SCAN:
            return b""
        if marker in _NO_LENGTH or marker == 0xFF:
            place += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, place + 2)
        body = data[place + 4 : place + 2 + length]
        if marker == 0xE1 and body.startswith(_EXIF):
            return body
        place += 2 + max(2, length)
    return b""


def _webp_exif(data: bytes) -> bytes:
    place = 12
    for _ in range(_MOST_PARTS):
        if place + 8 > len(data):
            return b""
        kind, length = struct.unpack_from("<4sI", data, place)
        if kind == b"EXIF":
            return data[place + 8 : place + 8 + min(length, MAX_TEXT_BYTES)]
        place += 8 + length + length % 2
    return b""


def _exif_texts(exif: bytes) -> dict[str, str]:
    if not exif or len(exif) > MAX_TEXT_BYTES:
        return {}
    found = Image.Exif()
    try:
        # Of what is damaged Pillow warns on the terminal, with its own path.
        with warnings.catch_warnings(action="ignore"):
            found.load(exif if exif.startswith(_EXIF) else _EXIF + exif)
            values = {name: found.get(tag) for tag, name in _TAGS.items()}
            comment = found.get_ifd(_IFD).get(_USER_COMMENT)
    except Exception:
        return {}
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    for value in list(texts.values()):
        keyword, colon, rest = value.partition(":")
        if colon and keyword in {"prompt", "workflow", "parameters"}:
            texts.setdefault(keyword, rest)
    if isinstance(comment, bytes | str) and (written := _comment(comment)):
        texts["UserComment"] = written
    return texts


def _comment(value: bytes | str) -> str:
    """A comment with the eight bytes before it that name its encoding."""
    if isinstance(value, str):
        return value.strip("\0 ")
    kind, body = value[:8], value[8:]
    if kind == b"UNICODE\0":
        return _utf_16(body)
    if kind not in {b"ASCII\0\0\0", b"JIS\0\0\0\0\0", bytes(8)}:
        body = value
    return body.decode(errors="replace").strip("\0 ")


def _utf_16(body: bytes) -> str:
    """In the order of bytes that its mark says, or else that the zeros of its Latin letters do; some write UTF-8."""
    if body[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return body.decode("utf-16", errors="replace").strip("\0 ")
    high, low = body[0::2].count(0), body[1::2].count(0)
    if not high and not low:
        with suppress(UnicodeDecodeError):
            return body.decode().strip("\0 ")
    return body.decode("utf-16-be" if high >= low else "utf-16-le", errors="replace").strip("\0 ")
