"""Sheets of samples: images side by side, in rows."""

from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

GAP = 4


def write_sheet(images: Tensor, columns: int, path: Path) -> None:
    """Writes images from -1 to 1, of shape (count, RGB, height, width), as one PNG."""
    count, _, height, width = images.shape
    rows = -(-count // columns)
    canvas = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), 255, dtype=np.uint8)
    pixels = ((images.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    for index, image in enumerate(pixels):
        top = GAP + index // columns * (height + GAP)
        left = GAP + index % columns * (width + GAP)
        canvas[top : top + height, left : left + width] = image
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(canvas).save(path)
