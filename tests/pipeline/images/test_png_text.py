"""The text chunks of a PNG, written and read without decoding it."""

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from pipeline.errors import UserError
from pipeline.images.png_text import MAX_TEXT_BYTES, read_texts, write_png

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)


TEAL = Image.new("RGB", (8, 8), "teal")


def png() -> bytes:
    return write_png(TEAL, {})


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + zlib.crc32(kind + body).to_bytes(4, "big")


@given(st.dictionaries(st.sampled_from(["parameters", "limner", "Title"]), texts))
def test_texts_are_read_as_they_were_written(own: dict[str, str]) -> None:
    """By us and by Pillow, in whatever script, before the same pixels."""
    file = write_png(TEAL, own)

    shown = Image.open(io.BytesIO(file))
    assert isinstance(shown, PngImagePlugin.PngImageFile)
    assert read_texts(file) == own == dict(shown.text)
    assert file.endswith(png()[33:])


def test_the_first_text_of_a_keyword_counts() -> None:
    """As in other readers."""
    new, old = chunk(b"tEXt", b"limner\0new"), chunk(b"tEXt", b"limner\0old")

    assert read_texts(png()[:33] + new + old + png()[33:]) == {"limner": "new"}


def test_what_no_chunk_can_hold_is_left_out() -> None:
    """A NUL would end the text for some readers, and half a surrogate is no character."""
    assert read_texts(write_png(TEAL, {"limner": "a\0b\udfffc"})) == {"limner": "ab?c"}


def test_a_flipped_bit_is_noticed() -> None:
    """By the chunk's own checksum."""
    file = bytearray(write_png(TEAL, {"limner": "words"}))
    file[45] ^= 1

    with pytest.raises(UserError, match="damaged"):
        read_texts(bytes(file))


@pytest.mark.parametrize("left", [34, 44, 60])
def test_a_file_that_is_cut_short_says_so(left: int) -> None:
    """Inside a chunk's head or inside its body."""
    with pytest.raises(UserError, match="cut short"):
        read_texts(write_png(TEAL, {"limner": "words"})[:left])


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_compressed_text_is_left_alone(kind: bytes) -> None:
    """Nothing is inflated, so nothing can explode."""
    head = b"limner\0\0" if kind == b"zTXt" else b"limner\0\1\0\0\0"
    hidden = chunk(kind, head + zlib.compress(b" " * 1000))

    assert read_texts(png()[:33] + hidden + png()[33:]) == {}


def test_a_text_beyond_the_limit_is_passed_over() -> None:
    """The others are read."""
    file = write_png(TEAL, {"long": "x" * (MAX_TEXT_BYTES + 1), "short": "x"})

    assert read_texts(file) == {"short": "x"}
