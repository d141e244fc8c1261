"""An image enlarged tile by tile, by a net."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image, ImageChops
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pipeline.errors import UserError
from pipeline.images.upscaler_nets import UpscalerNet, net_for
from pipeline.memory import is_out_of_memory, memory_in_words
from pipeline.models.hardware import Hardware

_TILES: Final = (512, 256, 128, 64)
"""Sides in pixels; the largest that fits in memory is taken."""

_MEMORY: Final = 2 * 2**30
"""Bytes that a tile may take, and half of what is free at most."""


def enlarged(image: Image.Image, size: tuple[int, int], net: Path, device: str) -> Image.Image:
    """Enlarge an image with a net; it runs as often as it takes to reach the size, and Lanczos' filter takes back the
    rest.

    Args:
        image: in RGB, or in grey (L).
        size: (width, height), in the image's proportions and larger.
        net: the net's weights, a safetensors file as `net_for` reads it.
        device: as DeviceSpec's: `cpu`, `cuda:0`.

    Returns:
        In the same mode of colours, of that size.

    Raises:
        UserError: the device is not there or has too little memory, or the file is no upscaler.
    """
    hardware = Hardware.choose(device)
    upscaler = _OnDevice(_load(net), hardware, net.stem)
    pixels = torch.from_numpy(np.asarray(image.convert("RGB")).copy()).permute(2, 0, 1)[None]
    with torch.inference_mode():
        while pixels.shape[-1] < size[0] or pixels.shape[-2] < size[1]:
            pixels = _in_largest_tiles(upscaler, pixels, hardware)
    whole = Image.fromarray(pixels[0].permute(1, 2, 0).numpy()).convert("L" if is_grey(image) else image.mode)
    return whole.resize(size, Image.Resampling.LANCZOS).convert(image.mode)


def is_grey(image: Image.Image) -> bool:
    """Whether an image has no colours; a net may invent some, which shows at once.

    Args:
        image: in RGB, or in grey (L).

    Returns:
        True where the channels of each pixel are equal.
    """
    first, *others = image.split()
    return all(ImageChops.difference(first, other).getbbox() is None for other in others)


def _load(file: Path) -> UpscalerNet:
    try:
        with memory_in_words(f"the upscaler '{file.stem}'", "choose the upscaler lanczos"):
            return net_for(load_file(file))
    except (OSError, SafetensorError) as error:
        raise UserError(f"The upscaler '{file.stem}' cannot be read; an admin can replace it.") from error
    except ValueError as error:
        raise UserError(
            f"The file '{file.stem}' is no upscaler of colour pictures of ESRGAN's, Real-ESRGAN's or waifu2x's kind; "
            "an admin can replace it."
        ) from error


class _OnDevice:
    """A net that takes and gives pixels of the host's memory, in float32.

    Args:
        net: on the CPU.
        hardware: where it runs, on a GPU in half precision.
        name: what it is called in an error.
    """

    def __init__(self, net: UpscalerNet, hardware: Hardware, name: str) -> None:
        assert isinstance(net, torch.nn.Module)
        self._name = name
        self.scale, self.margin, self.values = net.scale, net.margin, net.values
        self._device = hardware.device
        self._dtype = torch.float16 if hardware.device.type == "cuda" else torch.float32
        self._net = net.to(self._device, self._dtype)

    def __call__(self, pixels: Tensor, /) -> Tensor:
        answer: Tensor = self._net(pixels.to(self._device, self._dtype))
        answer = answer.float().cpu()
        if not answer.isfinite().all():
            raise UserError(
                f"The upscaler '{self._name}' made no numbers of this picture; choose the upscaler lanczos."
            )
        return answer


def _in_largest_tiles(upscaler: UpscalerNet, pixels: Tensor, hardware: Hardware) -> Tensor:
    room = min(_MEMORY, hardware.free_bytes() // 2)
    fitting = [tile for tile in _TILES if 4 * upscaler.values * (tile + 2 * upscaler.margin) ** 2 <= room]
    for tile in fitting or _TILES[-1:]:
        try:
            return in_tiles(upscaler, pixels, tile)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            hardware.release_unused()
    raise UserError("This picture does not fit in the device's memory; ask for a smaller factor, or lanczos.")


def in_tiles(upscaler: UpscalerNet, pixels: Tensor, tile: int) -> Tensor:
    """Enlarge an image one tile at a time.

    Args:
        upscaler: the net.
        pixels: (1, 3, height, width), 0 to 255 in 8 bits, which take a quarter of the memory of fractions.
        tile: the side of a tile in pixels; the net also sees its margin around each, so that no seams show.

    Returns:
        (1, 3, scale x height, scale x width), in 8 bits.
    """
    height, width = pixels.shape[2:]
    scale, margin = upscaler.scale, upscaler.margin + upscaler.margin % 2  # even, or a folding net would fold otherwise
    whole = torch.empty(1, 3, height * scale, width * scale, dtype=torch.uint8)
    for top, bottom in _spans(height, tile):
        for left, right in _spans(width, tile):
            above, beside = max(0, top - margin), max(0, left - margin)
            seen = pixels[:, :, above : bottom + margin, beside : right + margin].float() / 255
            rows = slice((top - above) * scale, (bottom - above) * scale)
            columns = slice((left - beside) * scale, (right - beside) * scale)
            place = (..., slice(top * scale, bottom * scale), slice(left * scale, right * scale))
            whole[place] = (upscaler(seen)[:, :, rows, columns].clamp(0, 1) * 255).round().to(torch.uint8)
    return whole


def _spans(length: int, tile: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + tile, length)) for start in range(0, length, tile))
