"""An image enlarged tile by tile, by a net of ESRGAN's kind (Wang et al., 2018, arXiv 1809.00219)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from pipeline.errors import UserError
from pipeline.models.hardware import Hardware, is_out_of_memory

_TILES: Final = (512, 256, 128, 64)
"""Sides in pixels, the largest that fits in memory is taken."""

_MARGIN: Final = 32
"""How far a net looks beyond a tile, in pixels: what it sees of the rest would show as seams."""


class Upscaler(Protocol):
    """A net that makes images `scale` times as large."""

    scale: int

    def __call__(self, pixels: Tensor, /) -> Tensor:
        """Enlarge an image.

        Args:
            pixels: (1, 3, height, width), 0 to 1.

        Returns:
            (1, 3, scale x height, scale x width), 0 to 1.
        """


def enlarged(image: Image.Image, size: tuple[int, int], net: Path, device: str) -> Image.Image:
    """Enlarge an image with a net; it runs as often as it takes to reach the size, and Lanczos' filter takes back the
    rest.

    Args:
        image: in RGB.
        size: (width, height), in the image's proportions and larger.
        net: the net's weights, a safetensors file of any architecture that spandrel knows.
        device: as DeviceSpec's: `cpu`, `cuda:0`.

    Returns:
        In RGB, of that size.

    Raises:
        UserError: the device is not there or has too little memory, spandrel is not installed, or the file is no
            upscaler.
    """
    hardware = Hardware.choose(device)
    upscaler = _load(net, hardware)
    pixels = torch.from_numpy(np.asarray(image, dtype=np.float32).copy()).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        while pixels.shape[-1] < size[0]:
            pixels = _in_largest_tiles(upscaler, pixels, hardware)
    levels = (pixels[0].permute(1, 2, 0) * 255).round().to(torch.uint8)
    return Image.fromarray(levels.numpy()).resize(size, Image.Resampling.LANCZOS)


def _load(net: Path, hardware: Hardware) -> Upscaler:
    try:
        from spandrel import ImageModelDescriptor, ModelLoader  # noqa: PLC0415  an extra, which brings torchvision
    except (ImportError, RuntimeError) as error:
        raise UserError(
            "What runs this upscaler is not installed; an admin has to: pip install 'limner[upscalers]'. "
            "Until then choose the upscaler lanczos."
        ) from error
    try:
        model = ModelLoader(hardware.device).load_from_state_dict(load_file(net))
    except Exception as error:
        raise UserError(f"The upscaler '{net.stem}' cannot be read; an admin can replace it.") from error
    if not isinstance(model, ImageModelDescriptor) or model.scale < 2 or model.input_channels != 3:
        raise UserError(f"The file '{net.stem}' is no upscaler of colour pictures; an admin can replace it.")
    if hardware.device.type == "cuda" and model.supports_half:
        model.half()
    return _OnDevice(model)


class _OnDevice:
    """A net that takes and gives pixels of the host's memory, in float32.

    Args:
        model: spandrel's descriptor of the net.
    """

    def __init__(self, model: Any) -> None:
        self._model = model.eval()
        self.scale = int(model.scale)

    def __call__(self, pixels: Tensor, /) -> Tensor:
        answer: Tensor = self._model(pixels.to(self._model.device, self._model.dtype))
        return answer.float().cpu()


def _in_largest_tiles(upscaler: Upscaler, pixels: Tensor, hardware: Hardware) -> Tensor:
    for tile in _TILES:
        try:
            return in_tiles(upscaler, pixels, tile)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            hardware.release_unused()
    raise UserError("This picture does not fit in the device's memory; ask for a smaller factor, or lanczos.")


def in_tiles(upscaler: Upscaler, pixels: Tensor, tile: int) -> Tensor:
    """Enlarge an image one tile at a time.

    Args:
        upscaler: the net.
        pixels: (1, 3, height, width), 0 to 1.
        tile: the side of a tile in pixels; the net also sees a margin of 32 around each, so that no seams show.

    Returns:
        (1, 3, scale x height, scale x width), 0 to 1.
    """
    height, width = pixels.shape[2:]
    scale = upscaler.scale
    whole = torch.empty(1, 3, height * scale, width * scale)
    for top, bottom in _spans(height, tile):
        for left, right in _spans(width, tile):
            above, beside = max(0, top - _MARGIN), max(0, left - _MARGIN)
            seen = pixels[:, :, above : bottom + _MARGIN, beside : right + _MARGIN]
            rows = slice((top - above) * scale, (bottom - above) * scale)
            columns = slice((left - beside) * scale, (right - beside) * scale)
            place = (..., slice(top * scale, bottom * scale), slice(left * scale, right * scale))
            whole[place] = upscaler(seen)[:, :, rows, columns].clamp(0, 1)
    return whole


def _spans(length: int, tile: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + tile, length)) for start in range(0, length, tile))
