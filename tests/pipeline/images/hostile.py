"""Hostile image files of a few kilobytes, made here."""

import io
import struct
import zlib
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """An image as a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def large_png(width: int = 8000, height: int = 4000) -> bytes:
    """32 megapixels in some 90 kB, as everything may be that is no larger than allowed."""
    return saved(Image.new("RGB", (width, height), "red"))


def animated(kind: str) -> bytes:
    """Two images in turn."""
    return saved(Image.new("RGB", (8, 8)), kind, save_all=True, append_images=[Image.new("RGB", (8, 8), "red")])


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG's chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int, *chunks: bytes, data: bytes = b"", depth: int = 8, colour: int = 2) -> bytes:
    """A PNG whose header says what it likes, with `data` for its pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + pixels + chunk(b"IEND", b"")


def tiff_of_pages(pages: int, next_page: int | None = None) -> bytes:
    """A TIFF of so many pages of one pixel; the last one's successor may be an earlier one, for ever."""
    entries = [(256, 1), (257, 1), (258, 8), (262, 1), (273, 8), (278, 1), (279, 1)]
    page = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    starts = range(10, 10 + pages * (len(page) + 4), len(page) + 4)
    followers = [*starts[1:], next_page or 0]
    return b"II*\0" + struct.pack("<I", 10) + b"\0\0" + b"".join(page + struct.pack("<I", one) for one in followers)


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG that claims that size."""
    data = bytearray(saved(Image.new("RGB", (8, 8)), "JPEG"))
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def webp_of(width: int, height: int) -> bytes:
    """A WebP whose canvas claims that size, and whose one frame is small."""
    frame = saved(Image.new("RGB", (8, 8)), "WEBP", lossless=True)[12:]
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + canvas + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif_of(width: int, height: int) -> bytes:
    """A GIF whose screen claims that size."""
    data = bytearray(saved(Image.new("P", (8, 8)), "GIF"))
    data[6:10] = struct.pack("<HH", width, height)
    return bytes(data)


def text_bomb(megabytes: int = 60) -> bytes:
    """A PNG with a text that unfolds."""
    info = PngInfo()
    info.add_text("limner", "x" * megabytes * 2**20, zip=True)
    return saved(Image.new("RGB", (8, 8)), pnginfo=info)


def profile_bomb(megabytes: int = 60) -> bytes:
    """A PNG with a colour profile that unfolds."""
    return png_of(8, 8, chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(megabytes * 2**20))), data=bytes(8 * 25))


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="99999" height="99999"><rect width="100%" height="100%"/></svg>'
