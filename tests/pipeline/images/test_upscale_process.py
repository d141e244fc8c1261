"""Enlarging in a child process, with a net and without."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from pipeline.errors import UserError
from pipeline.images.png_text import read_texts
from pipeline.images.upscale import enlarged
from pipeline.images.upscale_process import Enlargement, enlarge_apart
from pipeline.images.upscalers import SHIPPED
from tests.pipeline.scene import half_mask, scene

pytestmark = pytest.mark.slow  # a process each


def order(folder: Path, net: Path | None, factor: int = 4) -> Enlargement:
    scene().save(folder / "source", "PNG")
    return Enlargement(
        source=folder / "source",
        target=folder / "target",
        width=factor * 64,
        height=factor * 64,
        net=net,
        device="cpu",
        texts={"postprocessing": "by a test"},
    )


async def test_lanczos_needs_no_file(tmp_path: Path) -> None:
    """And is Pillow's, to the last bit; its texts are inside."""
    await enlarge_apart(order(tmp_path, None))

    assert read_texts((tmp_path / "target").read_bytes()) == {"postprocessing": "by a test"}
    assert Image.open(tmp_path / "target").tobytes() == scene().resize((256, 256), Image.Resampling.LANCZOS).tobytes()


@pytest.mark.parametrize("net", [None, SHIPPED])
async def test_transparency_is_enlarged_too(tmp_path: Path, net: Path | None) -> None:
    """By what enlarges the colours, which are those of an opaque image."""
    hidden = half_mask().point(lambda level: level // 2)
    hidden.save(tmp_path / "mask", "PNG")
    asked = replace(order(tmp_path, net, factor=2), mask=tmp_path / "mask")

    await enlarge_apart(asked)

    def larger(image: Image.Image) -> Image.Image:
        size = (128, 128)
        return image.resize(size, Image.Resampling.LANCZOS) if net is None else enlarged(image, size, net, "cpu")

    made = Image.open(asked.target)
    assert made.mode == "RGBA"
    assert made.convert("RGB").tobytes() == larger(scene()).tobytes()
    assert made.getchannel("A").tobytes() == larger(ImageOps.invert(hidden)).tobytes()


async def test_a_refusal_is_heard(tmp_path: Path) -> None:
    """Of the process, by its parent."""
    asked = order(tmp_path, None)
    asked.source.write_bytes(b"no image")

    with pytest.raises(UserError, match="cannot be read"):
        await enlarge_apart(asked)
