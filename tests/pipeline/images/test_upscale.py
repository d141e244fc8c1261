"""Upscalers: tiles without seams, files of spandrel's, and who cannot have one is told what to do."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from pipeline.errors import InvalidRequest, UserError
from pipeline.images.upscale import in_tiles
from pipeline.images.upscale_process import Enlargement, enlarge_apart
from pipeline.images.upscalers import LANCZOS, Upscalers
from tests.pipeline.engine.test_inpaint_canvas import scene

try:
    import spandrel
    from spandrel.architectures.ESRGAN import ESRGAN
except (ImportError, RuntimeError):
    # On machines without CUDA its torchvision has to be that of PyTorch's own index.
    spandrel = None

with_spandrel = pytest.mark.skipif(spandrel is None, reason="the extra upscalers is not installed")


class Looking(nn.Module):
    """An upscaler that looks 12 pixels around, and says something else for each."""

    scale = 2

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.look = nn.Conv2d(3, 12, 25, padding=12)

    def forward(self, pixels: Tensor) -> Tensor:
        return nn.functional.pixel_shuffle(self.look(pixels).sigmoid(), 2)


@pytest.mark.parametrize("size", [(100, 70), (64, 64), (65, 129), (7, 9)])
def test_tiles_leave_no_seam(size: tuple[int, int]) -> None:
    """The image is the one that is made at once, also where tiles do not divide it."""
    pixels, upscaler = torch.rand(1, 3, *size), Looking()

    with torch.inference_mode():
        whole, tiled = upscaler(pixels), in_tiles(upscaler, pixels, 64)

    assert tiled.shape == (1, 3, 2 * size[0], 2 * size[1])
    assert torch.allclose(whole, tiled, atol=1e-5)


def order(folder: Path, net: Path | None, factor: int = 4) -> Enlargement:
    scene().save(folder / "source", "PNG")
    return Enlargement(
        source=folder / "source", target=folder / "target", width=factor * 64, height=factor * 64, net=net, device="cpu"
    )


def save_esrgan(file: Path, scale: int) -> "nn.Module":
    torch.manual_seed(1)
    net: nn.Module = ESRGAN(num_filters=8, num_blocks=1, scale=scale)
    save_file({name: weight.contiguous() for name, weight in net.state_dict().items()}, file)
    return net


async def test_lanczos_needs_no_file(tmp_path: Path) -> None:
    """And is Pillow's, to the last bit."""
    await enlarge_apart(order(tmp_path, None))

    assert Image.open(tmp_path / "target").tobytes() == scene().resize((256, 256), Image.Resampling.LANCZOS).tobytes()


@with_spandrel
@pytest.mark.parametrize("scale", [2, 4])
async def test_a_net_enlarges_as_often_as_it_takes(tmp_path: Path, scale: int) -> None:
    """Its architecture is found by its weights."""
    net = save_esrgan(tmp_path / "net.safetensors", scale)
    await enlarge_apart(order(tmp_path, tmp_path / "net.safetensors"))

    pixels = torch.from_numpy(np.asarray(scene()).copy()).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        while pixels.shape[-1] < 256:
            pixels = net(pixels).clamp(0, 1)
    expected = (pixels[0].permute(1, 2, 0) * 255).round()
    made = torch.from_numpy(np.asarray(Image.open(tmp_path / "target")).copy())
    assert (made - expected).abs().max() <= 1


@with_spandrel
@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"no weights", "cannot be read; an admin can replace it."), (None, "is no upscaler of colour pictures")],
)
async def test_what_is_no_upscaler_is_refused(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    """By its name."""
    net = tmp_path / "sharp.safetensors"
    if content is None:
        save_esrgan(net, scale=1)
    else:
        net.write_bytes(content)

    with pytest.raises(UserError, match=f"'sharp' {sentence}"):
        await enlarge_apart(order(tmp_path, net))


@pytest.mark.skipif(find_spec("spandrel") is not None, reason="the extra upscalers is installed")
async def test_without_the_extra_a_net_is_refused(tmp_path: Path) -> None:
    """With what to install, and what to do until then."""
    with pytest.raises(UserError, match=r"an admin has to: pip install 'limner\[upscalers\]'.*choose .* lanczos"):
        await enlarge_apart(order(tmp_path, tmp_path / "net.safetensors"))


def test_upscalers_are_called_as_their_files(tmp_path: Path) -> None:
    """Nets first; nothing outside the folder can be named."""
    for name in ("b.safetensors", "a.safetensors", "c.pth"):
        (tmp_path / name).touch()
    upscalers = Upscalers(folder=tmp_path)

    assert upscalers.names() == ("a", "b", LANCZOS)
    assert upscalers.net("b") == tmp_path / "b.safetensors"
    assert upscalers.net(LANCZOS) is None
    assert Upscalers().names() == (LANCZOS,)
    for wrong in ("c", "../a", "a.safetensors"):
        with pytest.raises(InvalidRequest, match="there is: a, b, lanczos"):
            upscalers.net(wrong)
