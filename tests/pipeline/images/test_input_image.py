"""Hostile and odd images: upright and plain, or one sentence."""

import io
import struct
import zlib
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from pipeline.errors import InvalidRequest
from pipeline.images.input_image import Ground, InputImage, grounded, is_mostly_light, read_image, resized
from pipeline.requests.control import ResizeMode


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def two_colours(mode: str = "RGB") -> Image.Image:
    """Red on the left, white on the right, 8 by 4."""
    image = Image.new("RGB", (8, 4), "white")
    image.paste((255, 0, 0), (0, 0, 4, 4))
    return image.convert(mode)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("RGB", "PNG"), ("P", "PNG"), ("RGBA", "PNG"), ("RGB", "BMP"), ("P", "GIF"), ("RGB", "TIFF"), ("CMYK", "TIFF")],
)
def test_every_kind_becomes_the_same_rgb(mode: str, kind: str) -> None:
    """Exactly, where the format loses nothing."""
    image = read_image(saved(two_colours(mode), kind))

    assert image.rgb.mode == "RGB"
    assert image.alpha is None
    assert np.array_equal(np.asarray(image.rgb), np.asarray(two_colours()))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_kinds_come_close(kind: str) -> None:
    """Within what their compression changes."""
    large = two_colours().resize((64, 32), Image.Resampling.NEAREST)

    image = read_image(saved(large, kind, quality=95))

    assert np.abs(np.asarray(image.rgb).astype(int) - np.asarray(large)).mean() < 5


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_deep_grey_keeps_its_levels(dtype: Any) -> None:
    """Instead of being cut off at 255."""
    levels = np.array([[0, 257 * 128, 65535]], dtype=dtype)

    image = read_image(saved(Image.fromarray(levels), "TIFF"))

    assert [int(level) for level in np.asarray(image.rgb)[0, :, 0]] == [0, 128, 255]


def test_transparency_is_kept_apart() -> None:
    """It may be a mask; a wholly opaque image has none."""
    image = two_colours("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))

    read = read_image(saved(image))

    assert read.alpha is not None
    assert read.alpha.tobytes() == image.getchannel("A").tobytes()
    assert np.array_equal(np.asarray(read.rgb), np.asarray(two_colours()))


def test_a_palette_with_a_transparent_colour_has_an_alpha() -> None:
    """As GIF and old PNG files have it."""
    read = read_image(saved(two_colours("P"), "GIF", transparency=two_colours("P").getpixel((0, 0))))

    assert read.alpha is not None
    assert (read.alpha.getpixel((0, 0)), read.alpha.getpixel((7, 0))) == (0, 255)


def test_a_turned_photograph_stands_upright_and_says_nothing_more() -> None:
    """Where it was taken is nobody's business."""
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held a quarter turn anticlockwise
    exif[0x010E] = "home"

    read = read_image(saved(two_colours(), "PNG", exif=exif))

    assert read.size == (4, 8)
    assert read.rgb.getpixel((0, 0)) == (255, 0, 0)
    assert read.rgb.getpixel((0, 7)) == (255, 255, 255)
    assert not read.rgb.info
    assert not read.rgb.getexif()


def test_a_drawing_on_paper_is_not_taken_for_a_map() -> None:
    """By what most of it is."""
    paper = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(paper).line((0, 0, 63, 63), "black", 5)

    assert is_mostly_light(paper)
    assert not is_mostly_light(ImageOps.invert(paper))


@pytest.mark.parametrize("hidden", ["black", "white"])
@pytest.mark.parametrize(
    ("ground", "ink", "around"),
    [
        (Ground.CONTRAST, "black", "white"), (Ground.CONTRAST, "yellow", "black"),
        (Ground.BLACK, "black", "black"), (Ground.BLACK, "white", "black"),
    ],
)  # fmt: skip
def test_a_ground_covers_what_nobody_sees(ground: Ground, ink: str, around: str, hidden: str) -> None:
    """Strokes on nothing stand out, whatever colour the file holds where it is transparent."""
    rgb, alpha = Image.new("RGB", (40, 40), hidden), Image.new("L", (40, 40))
    for layer, colour in ((rgb, ink), (alpha, 255)):
        ImageDraw.Draw(layer).line((4, 4, 30, 30), colour, 3)
    expected = Image.new("RGB", (40, 40), around)
    ImageDraw.Draw(expected).line((4, 4, 30, 30), ink, 3)

    assert grounded(InputImage(rgb=rgb, alpha=alpha), ground).tobytes() == expected.tobytes()


def test_what_is_wholly_transparent_is_blank() -> None:
    """On either ground."""
    image = InputImage(rgb=two_colours(), alpha=Image.new("L", two_colours().size))

    for ground, level in ((Ground.CONTRAST, 255), (Ground.BLACK, 0)):
        assert grounded(image, ground).getextrema() == ((level, level),) * 3


def test_an_animated_image_is_refused() -> None:
    """Whatever its format."""
    frames = [two_colours(), Image.new("RGB", (8, 4), "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        with pytest.raises(InvalidRequest, match="The mask is animated"):
            read_image(saved(frames[0], kind, save_all=True, append_images=frames[1:]), "mask")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("side", [6_000, 40_000])
def test_a_bomb_is_refused_before_it_is_decoded(side: int) -> None:
    """In a few kilobytes; the sentence names the limit."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100_000))

    with pytest.raises(InvalidRequest, match="more than 32 million pixels; send a smaller one"):
        read_image(bomb)


def test_too_many_bytes_are_not_looked_at() -> None:
    """Not even where they are no image at all."""
    whole = saved(two_colours())

    with pytest.raises(InvalidRequest, match=r"The mask is too large: 2\.0 of 1 MB; send a smaller one") as refusal:
        read_image(b"?" * 2**21, "mask", max_bytes=2**20)

    assert refusal.value.field == "mask"
    assert read_image(whole, max_bytes=len(whole)).size == (8, 4)


@pytest.mark.parametrize("size", [(40_000, 40_000), (6_000, 6_000)])
@pytest.mark.parametrize("kind", ["TIFF", "BMP"])
def test_a_bomb_of_another_format_is_refused_by_its_header(kind: str, size: tuple[int, int]) -> None:
    """Only the header is read: the pixels that it speaks of are not there."""
    data = bytearray(saved(Image.new("RGB", (8, 4)), kind))
    if kind == "BMP":
        data[18:26] = struct.pack("<ii", *size)
    else:
        with Image.open(io.BytesIO(data)) as image:
            start = struct.unpack_from("<I", data, 4)[0]
            assert image.size == (8, 4)
        count = struct.unpack_from("<H", data, start)[0]
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag = struct.unpack_from("<H", data, entry)[0]
            if tag in (256, 257):
                struct.pack_into("<HHII", data, entry, tag, 4, 1, size[tag - 256])

    with pytest.raises(InvalidRequest, match="more than 32 million pixels"):
        read_image(bytes(data))


def test_other_bytes_are_no_image() -> None:
    """Nor is a truncated one, nor a format that nobody needs to decode."""
    whole = saved(Image.effect_noise((64, 64), 80).convert("RGB"))
    for data in (b"", b"<html>log in</html>", whole[: len(whole) // 2], saved(two_colours(), "PPM")):
        with pytest.raises(InvalidRequest, match="send a PNG, JPEG or WebP"):
            read_image(data)


@given(
    kind=st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"]),
    places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=20),
)
def test_a_damaged_file_is_an_image_or_a_sentence(kind: str, places: list[tuple[float, int]]) -> None:
    """Nothing else ever comes of it."""
    data = bytearray(saved(two_colours(), kind))
    for place, value in places:
        data[int(place * len(data))] = value
    with suppress(InvalidRequest):
        assert read_image(bytes(data)).rgb.mode == "RGB"


@pytest.mark.parametrize(
    ("mode", "corner", "edge"),
    [
        (ResizeMode.CROP, (255, 0, 0), (255, 0, 0)),
        (ResizeMode.FIT, (0, 0, 0), (255, 0, 0)),
        (ResizeMode.FILL, (255, 0, 0), (255, 0, 0)),
    ],
)
def test_other_proportions_are_cut_bordered_or_stretched(
    mode: ResizeMode, corner: tuple[int, int, int], edge: tuple[int, int, int]
) -> None:
    """To the wanted size."""
    square = resized(two_colours(), (16, 16), mode)

    assert square.size == (16, 16)
    assert square.getpixel((0, 0)) == pytest.approx(corner, abs=10)
    assert square.getpixel((0, 8)) == pytest.approx(edge, abs=10)


def test_deep_colours_come_close() -> None:
    """Sixteen bits a channel, which Pillow reads as eight."""
    row = b"\0" + struct.pack(">6H", 65535, 0, 0, 65535, 32896, 257)
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")

    assert np.asarray(read_image(data).rgb).tolist() == [[[255, 0, 0], [255, 128, 1]]]


def test_inks_become_light() -> None:
    """A JPEG of four inks, as printers send it, has the colours of the same image in RGB."""
    large = two_colours().resize((64, 32), Image.Resampling.NEAREST)

    image = read_image(saved(large.convert("CMYK"), "JPEG", quality=95))

    assert image.rgb.mode == "RGB"
    assert np.abs(np.asarray(image.rgb).astype(int) - np.asarray(large)).mean() < 5
