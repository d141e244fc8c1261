"""Upscalers: tiles without seams, files of spandrel's, and a sentence where there can be none."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.images.upscale import in_tiles
from pipeline.images.upscale_process import enlarge_apart
from tests.pipeline.images.test_upscale_process import order
from tests.pipeline.scene import scene

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


def save_esrgan(file: Path, scale: int) -> "nn.Module":
    torch.manual_seed(1)
    net: nn.Module = ESRGAN(num_filters=8, num_blocks=1, scale=scale)
    save_file({name: weight.contiguous() for name, weight in net.state_dict().items()}, file)
    return net


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
