"""The program of an upscaling's process: `python -m pipeline.images.upscale_program` answers one order."""

from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from pipeline.images.input_image import read_image
from pipeline.images.png_text import write_png
from pipeline.processes.program import answer


def _enlarge(order: dict[str, Any]) -> dict[str, Any]:
    larger = _larger(read_image(Path(order["source"]).read_bytes()).rgb, order)
    if order["mask"] is not None:
        hidden = read_image(Path(order["mask"]).read_bytes()).rgb.convert("L")
        larger.putalpha(_larger(ImageOps.invert(hidden), order))
    Path(order["target"]).write_bytes(write_png(larger, order["texts"]))
    return {}


def _larger(image: Image.Image, order: dict[str, Any]) -> Image.Image:
    size = (order["width"], order["height"])
    if order["net"] is None:
        return image.resize(size, Image.Resampling.LANCZOS)
    # Torch takes seconds to load, and Lanczos' filter needs none of it.
    from pipeline.images.upscale import enlarged  # noqa: PLC0415

    return enlarged(image, size, Path(order["net"]), order["device"])


if __name__ == "__main__":
    answer(_enlarge)
