"""Images opened in real child processes: hostile files end in a sentence, and this process stays small."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from pipeline.errors import InvalidRequest, UserError
from pipeline.images.image_process import (
    KEPT_PIXELS,
    KEPT_WHOLE,
    CompressImage,
    ImageLimits,
    ImageProcesses,
    JudgeLight,
    ReadParameters,
    TakeImage,
    TakenImage,
    WidenImage,
)
from pipeline.images.outpaint import Direction
from tests.pipeline.images import hostile
from tests.pipeline.images.hostile import saved

pytestmark = pytest.mark.slow  # each starts processes

ADA = ("guild", "ada")
Take = Callable[..., Awaitable[TakenImage]]


@pytest.fixture
def take(tmp_path: Path) -> Take:
    async def take(data: bytes, images: ImageProcesses | None = None, **changes: Any) -> TakenImage:
        source = tmp_path / "source"
        source.write_bytes(data)
        order = TakeImage(
            source=source, target=tmp_path / "target.png", mask=tmp_path / "mask.png", field="image", **changes
        )
        return await (images or ImageProcesses()).take(order, ADA)

    return take


def rgb(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


async def test_the_pixels_are_written_and_what_is_transparent(take: Take, tmp_path: Path) -> None:
    """Upright, without what the file said beside them; the mask is white where nothing was."""
    image = Image.new("RGBA", (8, 4), (255, 0, 0, 255))
    image.putpixel((0, 0), (0, 0, 255, 0))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "home"

    taken = await take(saved(image, exif=exif, pnginfo=None))

    assert taken == TakenImage(size=(4, 8), kept_size=(4, 8), has_mask=True)
    with Image.open(tmp_path / "target.png") as kept, Image.open(tmp_path / "mask.png") as mask:
        assert (kept.mode, kept.size, kept.getpixel((0, 7))) == ("RGB", (4, 8), (255, 0, 0))
        assert not kept.getexif()
        assert (mask.mode, mask.getpixel((3, 0)), mask.getpixel((0, 7))) == ("L", 255, 0)


@pytest.mark.parametrize(("most", "side"), [(KEPT_PIXELS, 2048), (KEPT_WHOLE, 4096)])
async def test_an_image_is_kept_no_larger_than_is_needed(take: Take, tmp_path: Path, most: int, side: int) -> None:
    """In its proportions; its own size is reported all the same."""
    taken = await take(saved(Image.new("L", (5000, 5000))), most_pixels=most)

    assert taken.size == (5000, 5000)
    assert rgb(tmp_path / "target.png").size == (side, side)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("1", "PNG"), ("L", "PNG"), ("LA", "PNG"), ("P", "PNG"), ("RGB", "PNG"), ("RGBA", "PNG"), ("I;16", "PNG"),
        ("P", "GIF"), ("CMYK", "JPEG"), ("L", "JPEG"), ("RGB", "WEBP"), ("RGBA", "WEBP"), ("CMYK", "TIFF"),
        ("F", "TIFF"), ("I", "TIFF"), ("RGB", "BMP"), ("YCbCr", "TIFF"), ("LAB", "TIFF"),
    ],
)  # fmt: skip
async def test_every_mode_becomes_plain_colours(take: Take, tmp_path: Path, mode: str, kind: str) -> None:
    """Whatever a file keeps them in."""
    data = saved(Image.new(mode, (16, 8)), kind)

    taken = await take(data)

    assert taken.size == (16, 8)
    assert rgb(tmp_path / "target.png").size == (16, 8)


LARGE = "more than 32 million pixels; send a smaller one"
SEVERAL = "animated or has several pages; send a single picture"
NONE = "cannot be read; send a PNG, JPEG or WebP picture"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (hostile.png_of(40_000, 40_000), LARGE),
        (hostile.png_of(2**31 - 1, 2**31 - 1), LARGE),
        (hostile.jpeg_of(65_500, 65_500), LARGE),
        (hostile.webp_of(16_384, 16_384), LARGE),
        (hostile.webp_of(6_000, 6_000), LARGE),
        (hostile.gif_of(65_535, 65_535), LARGE),
        (hostile.png_of(0, 5), NONE),
        (hostile.tiff_of_pages(97_000), SEVERAL),
        (hostile.tiff_of_pages(2, next_page=10), SEVERAL),
        (hostile.animated("GIF"), SEVERAL),
        (hostile.animated("PNG"), SEVERAL),
        (hostile.animated("WEBP"), SEVERAL),
        (hostile.SVG, NONE),
        (hostile.profile_bomb(), NONE),
        (hostile.text_bomb(), NONE),
        (hostile.large_png()[:50_000], NONE),
        (saved(Image.effect_noise((500, 500), 90), "JPEG")[:5000], NONE),
        (b"", NONE),
        (b"\0\0\0\x1cftypheic" + bytes(100), NONE),
    ],
    ids=[
        "png of 1.6 gigapixels", "png of the largest size", "jpeg of 4 gigapixels", "webp of 268 megapixels",
        "webp of 36 megapixels", "gif of 4 gigapixels", "png without width", "tiff of 97,000 pages",
        "tiff without end", "gif", "apng", "webp", "svg", "profile bomb", "text bomb", "cut png", "cut jpeg",
        "nothing", "heic",
    ],
)  # fmt: skip
async def test_a_hostile_file_is_one_true_sentence(take: Take, tmp_path: Path, data: bytes, sentence: str) -> None:
    """By its header, where that says enough; and long before the time is over."""
    begin = time.monotonic()

    with pytest.raises(InvalidRequest, match=sentence) as refusal:
        await take(data)

    assert refusal.value.field == "image"
    assert not (tmp_path / "target.png").exists()
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize("size", [(1, 100_000), (100_000, 1), (1, 1)])
async def test_odd_proportions_are_images(take: Take, tmp_path: Path, size: tuple[int, int]) -> None:
    """However thin."""
    assert (await take(saved(Image.new("RGB", size)))).size == size
    assert rgb(tmp_path / "target.png").size == size


async def test_a_photograph_with_a_preview_behind_it_is_one_image(take: Take, tmp_path: Path) -> None:
    """As cameras write them (MPO)."""
    photo, preview = Image.new("RGB", (64, 48), "red"), Image.new("RGB", (16, 12))

    assert (await take(saved(photo, "MPO", save_all=True, append_images=[preview]))).size == (64, 48)


async def test_too_many_bytes_are_not_read(take: Take) -> None:
    """The sentence names both sizes."""
    with pytest.raises(InvalidRequest, match=r"The image is too large: 2\.0 of 1 MB"):
        await take(bytes(2**21), max_bytes=2**20)


async def test_what_takes_too_much_memory_or_time_is_a_sentence(take: Take) -> None:
    """The limit ends the child, not this process."""
    small = ImageProcesses(ImageLimits(memory=100 * 2**20))
    with pytest.raises(InvalidRequest, match="takes too much memory to open; save it as a plain PNG or JPEG"):
        await take(hostile.large_png(), small)

    hurried = ImageProcesses(ImageLimits(seconds=0.01))
    with pytest.raises(InvalidRequest, match="longer than 0 seconds to open; save it as a plain PNG or JPEG"):
        await take(hostile.large_png(), hurried)


async def test_a_machine_without_room_for_a_process_is_a_sentence(
    take: Take, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And the next one that comes has its turn."""
    images = ImageProcesses(ImageLimits(at_once=1, most_each=1))
    with monkeypatch.context() as patched:
        patched.setattr("sys.executable", str(tmp_path / "none"))
        with pytest.raises(InvalidRequest, match="too busy to open pictures; send it again in a minute"):
            await take(hostile.png_of(8, 8, data=bytes(8 * 25)), images)

    assert (await take(hostile.png_of(8, 8, data=bytes(8 * 25)), images)).size == (8, 8)


async def test_more_around_an_image_has_its_limit_too(tmp_path: Path) -> None:
    """The canvas is checked before it is made."""
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    source.write_bytes(hostile.large_png())
    order = WidenImage(source=source, target=target, mask=target, direction=Direction.ALL, amount=100)

    with pytest.raises(UserError, match="makes 16000×8000 pixels, which is too large; ask for less around it"):
        await ImageProcesses().widen(order, ADA)


async def test_a_drawing_on_paper_is_not_taken_for_light_lines(tmp_path: Path) -> None:
    """By what most of it is."""
    paper, night = tmp_path / "paper.png", tmp_path / "night.png"
    Image.new("L", (8, 8), 255).save(paper)
    Image.new("L", (8, 8), 0).save(night)

    images = ImageProcesses()

    assert await images.is_light(JudgeLight(source=paper, field="map"), ADA)
    assert not await images.is_light(JudgeLight(source=night, field="map"), ADA)


async def test_an_image_is_compressed_as_far_as_it_must(tmp_path: Path) -> None:
    """To the first size if that goes, else to the second, else not."""
    source, target = tmp_path / "a.png", tmp_path / "a.webp"
    noise = np.random.default_rng(1).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    Image.fromarray(noise).save(source)
    images = ImageProcesses()

    assert await images.compress(CompressImage(source=source, target=target, most_bytes=(10, 100_000)), ADA)
    assert 10 < target.stat().st_size <= 100_000
    assert not await images.compress(CompressImage(source=source, target=target, most_bytes=(10, 20)), ADA)


async def test_a_text_that_is_a_bomb_is_left_alone(tmp_path: Path) -> None:
    """And pieces without end are not walked through."""
    bomb, pieces = tmp_path / "bomb.png", tmp_path / "pieces.png"
    bomb.write_bytes(hostile.text_bomb())
    pieces.write_bytes(hostile.png_of(8, 8, hostile.chunk(b"tEXt", b"a\0b") * 100_000))
    images = ImageProcesses()

    with pytest.raises(UserError, match="does not say how it was made"):
        await images.read_parameters(ReadParameters(source=bomb), ADA)
    with pytest.raises(UserError, match="too many pieces"):
        await images.read_parameters(ReadParameters(source=pieces), ADA)


@asynccontextmanager
async def watching() -> AsyncIterator[dict[str, float]]:
    """The most memory of this process beyond what it has now, in MB, and the longest silence of its event loop."""
    seen = {"mb": 0.0, "lag": 0.0}
    process = psutil.Process(os.getpid())
    before = process.memory_info().rss

    async def look() -> None:
        while True:
            begin = time.monotonic()
            await asyncio.sleep(0.02)
            seen["lag"] = max(seen["lag"], time.monotonic() - begin - 0.02)
            seen["mb"] = max(seen["mb"], (process.memory_info().rss - before) / 2**20)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()


async def test_many_large_images_of_one_guild_hold_back_no_other(tmp_path: Path) -> None:
    """Nor do their pixels ever come into this process, whose event loop goes on."""
    images, source = ImageProcesses(), tmp_path / "large.png"
    source.write_bytes(hostile.large_png())
    (tmp_path / "small.png").write_bytes(saved(Image.new("RGB", (64, 64))))

    def order(number: int, source: Path) -> TakeImage:
        return TakeImage(
            source=source, target=tmp_path / f"{number}.png", mask=tmp_path / f"{number}.mask.png", field="image"
        )

    async with watching() as seen:
        storm = [asyncio.create_task(images.take(order(number, source), ADA)) for number in range(4)]
        await asyncio.sleep(0)
        await images.take(order(99, tmp_path / "small.png"), ("other", "bob"))
        done = sum(task.done() for task in storm)
        taken = await asyncio.gather(*storm)

    assert done <= 2
    assert {each.size for each in taken} == {(8000, 4000)}
    assert seen["mb"] < 30
    assert seen["lag"] < 0.5
