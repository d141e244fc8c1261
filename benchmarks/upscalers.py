"""What each upscaler gives back of images that were made smaller: `python -m benchmarks.upscalers FILE...`.

Each file is cut to at most 480 pixels a side, made smaller by bicubic interpolation and enlarged again: by bicubic
interpolation, by Lanczos' filter, and by the net that ships. PSNR is over the three channels, SSIM (Wang et al., 2004)
over grey levels with a Gaussian window of 1.5 pixels; the time is of one core, for each megapixel that is made.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pipeline.images.upscale import enlarged
from pipeline.images.upscalers import SHIPPED

SIDE = 480
FACTORS = (2, 4)

Size = tuple[int, int]
UPSCALERS: dict[str, Callable[[Image.Image, Size], Image.Image]] = {
    "bicubic": lambda image, size: image.resize(size, Image.Resampling.BICUBIC),
    "lanczos": lambda image, size: image.resize(size, Image.Resampling.LANCZOS),
    SHIPPED.stem: lambda image, size: enlarged(image, size, SHIPPED, "cpu"),
}


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    files = [Path(name) for name in sys.argv[1:]]
    print("| image | factor |", " | ".join(f"{name}, dB | SSIM" for name in UPSCALERS), "|")
    print(f"|{'---|' * (2 + 2 * len(UPSCALERS))}")
    spent = made = 0.0
    for factor in FACTORS:
        for file in files:
            whole = _cut(Image.open(file).convert("RGB"))
            small = whole.resize((whole.width // factor, whole.height // factor), Image.Resampling.BICUBIC)
            cells = []
            for name, enlarge in UPSCALERS.items():
                began = time.process_time()
                image = enlarge(small, whole.size)
                if name == SHIPPED.stem:
                    spent, made = spent + time.process_time() - began, made + whole.width * whole.height / 1e6
                cells.append(f"{_psnr(image, whole):.1f} | {_ssim(image, whole):.3f}")
            print(f"| {file.stem} | {factor} | {' | '.join(cells)} |", flush=True)
    print(f"\n{SHIPPED.stem}: {spent / made:.1f} CPU-s for each megapixel")


def _cut(image: Image.Image) -> Image.Image:
    """Its upper left part, of sides that every factor divides."""
    width, height = (min(SIDE, side) // 4 * 4 for side in image.size)
    return image.crop((0, 0, width, height))


def _psnr(image: Image.Image, wanted: Image.Image) -> float:
    error = np.mean((np.asarray(image, np.float64) - np.asarray(wanted, np.float64)) ** 2)
    return float(10 * np.log10(255**2 / error))


def _ssim(image: Image.Image, wanted: Image.Image) -> float:
    first, second = (np.asarray(each.convert("L"), np.float64) for each in (image, wanted))
    means = _mean(first), _mean(second)
    variances = _mean(first**2) - means[0] ** 2 + _mean(second**2) - means[1] ** 2
    covariance = _mean(first * second) - means[0] * means[1]
    light = (2 * means[0] * means[1] + 2.55**2) / (means[0] ** 2 + means[1] ** 2 + 2.55**2)
    return float((light * (2 * covariance + 7.65**2) / (variances + 7.65**2)).mean())


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5))


if __name__ == "__main__":
    main()
