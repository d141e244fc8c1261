"""Enlarging in a child process, with a net and without."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from pipeline.errors import UserError
from pipeline.images.png_text import read_texts
from pipeline.images.upscale_process import Enlargement, enlarge_apart
from tests.pipeline.scene import scene

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


@pytest.mark.skipif(find_spec("spandrel") is not None, reason="the extra upscalers is installed")
async def test_without_the_extra_a_net_is_refused(tmp_path: Path) -> None:
    """With what to install, and what to do until then."""
    with pytest.raises(UserError, match=r"an admin has to: pip install 'limner\[upscalers\]'.*choose .* lanczos"):
        await enlarge_apart(order(tmp_path, tmp_path / "net.safetensors"))
