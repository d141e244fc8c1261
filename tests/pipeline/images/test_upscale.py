"""An image enlarged: tiles without seams, the net that ships, transparency, and a sentence where there can be none."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.images import upscale
from pipeline.images.upscale import enlarged, in_tiles
from pipeline.images.upscaler_nets import RRDBNet, UpConv7, net_for
from pipeline.images.upscalers import SHIPPED
from tests.pipeline.scene import scene


class Looking(nn.Module):
    """An upscaler that looks 12 pixels around, and says something else for each."""

    scale, margin, values = 2, 12, 100

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.look = nn.Conv2d(3, 12, 25, padding=12)

    def forward(self, pixels: Tensor) -> Tensor:
        return nn.functional.pixel_shuffle(self.look(pixels).sigmoid(), 2)


def levels(pixels: Tensor) -> Tensor:
    return (pixels.clamp(0, 1) * 255).round()


@pytest.mark.parametrize("size", [(100, 70), (64, 64), (65, 129), (7, 9), (1, 1)])
def test_tiles_leave_no_seam(size: tuple[int, int]) -> None:
    """The image is the one that is made at once, also where tiles do not divide it."""
    pixels, upscaler = torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8), Looking()

    with torch.inference_mode():
        whole, tiled = levels(upscaler(pixels / 255)), in_tiles(upscaler, pixels, 64)

    assert tiled.shape == (1, 3, 2 * size[0], 2 * size[1])
    assert (whole - tiled.float()).abs().max() <= 1


@pytest.mark.parametrize("net", [UpConv7(), RRDBNet(unshuffled=2, filters=4, growth=2, blocks=1, doublings=2)])
def test_the_margin_of_a_net_is_as_far_as_it_looks(net: UpConv7 | RRDBNet) -> None:
    """Also for one that folds two pixels into one, and an image of odd sides."""
    torch.manual_seed(2)
    pixels = torch.randint(0, 256, (1, 3, 41, 53), dtype=torch.uint8)

    with torch.inference_mode():
        whole, tiled = levels(net(pixels / 255)), in_tiles(net, pixels, 16)

    assert (whole - tiled.float()).abs().max() <= 1


def distance(first: Image.Image, second: Image.Image) -> float:
    """The mean square of the difference in levels."""
    return float(np.mean((np.asarray(first, np.float64) - np.asarray(second, np.float64)) ** 2))


@pytest.mark.parametrize("factor", [2, 4])
def test_the_net_that_ships_restores_more_than_a_filter_does(factor: int) -> None:
    """A drawing made smaller comes back with less than two thirds of the error of bicubic and of Lanczos' filter."""
    drawing = scene().resize((256, 256), Image.Resampling.LANCZOS)
    ImageDraw.Draw(drawing).line((20, 240, 230, 150), "white", 5)
    small = drawing.resize((256 // factor, 256 // factor), Image.Resampling.BICUBIC)

    made = distance(enlarged(small, drawing.size, SHIPPED, "cpu"), drawing)

    for usual in (Image.Resampling.BICUBIC, Image.Resampling.LANCZOS):
        assert made < 0.67 * distance(small.resize(drawing.size, usual), drawing)


def test_a_grey_image_stays_grey() -> None:
    """The net sees colours in a dithered image that has none."""
    dithered = scene().resize((48, 40)).convert("1").convert("RGB")

    larger = enlarged(dithered, (96, 80), SHIPPED, "cpu")

    channels = np.asarray(larger)
    assert larger.mode == "RGB"
    assert (channels == channels[..., :1]).all()
    assert channels.std() > 30


def test_a_net_runs_as_often_as_it_takes() -> None:
    """Twice for three times the size, and Lanczos' filter takes back what is too much; grey stays grey."""
    small = scene().resize((20, 12))
    net = net_for(load_file(SHIPPED))
    pixels = torch.from_numpy(np.asarray(small).copy()).permute(2, 0, 1)[None]
    with torch.inference_mode():
        twice = in_tiles(net, in_tiles(net, pixels, 64), 64)
    larger = Image.fromarray(twice[0].permute(1, 2, 0).numpy()).resize((60, 36), Image.Resampling.LANCZOS)

    assert enlarged(small, (60, 36), SHIPPED, "cpu").tobytes() == larger.tobytes()
    assert enlarged(small.convert("L"), (60, 36), SHIPPED, "cpu").mode == "L"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no weights", "'sharp' cannot be read; an admin can replace it."),
        (None, "'sharp' cannot be read; an admin can replace it."),
        ({"conv.weight": torch.zeros(3, 3, 3, 3)}, "'sharp' is no upscaler of colour pictures"),
    ],
)
def test_what_is_no_upscaler_is_refused(
    tmp_path: Path, content: bytes | dict[str, Tensor] | None, sentence: str
) -> None:
    """By its name, and so is a file that went away."""
    net = tmp_path / "sharp.safetensors"
    if isinstance(content, bytes):
        net.write_bytes(content)
    elif content is not None:
        save_file(content, net)

    with pytest.raises(UserError, match=sentence):
        enlarged(scene(), (128, 128), net, "cpu")


def test_tiles_are_as_large_as_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    """And smaller ones are tried where that was too much, before the member is told."""
    tried: list[int] = []

    def full(_net: object, _pixels: Tensor, tile: int) -> Tensor:
        tried.append(tile)
        raise MemoryError

    monkeypatch.setattr(upscale, "in_tiles", full)
    monkeypatch.setattr(upscale, "_MEMORY", 4 * UpConv7.values * (256 + 2 * UpConv7.margin) ** 2)

    with pytest.raises(UserError, match="does not fit in the device's memory; ask for a smaller factor, or lanczos"):
        enlarged(scene(), (128, 128), SHIPPED, "cpu")
    assert tried == [256, 128, 64]
