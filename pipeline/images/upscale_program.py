"""The program of an upscaling's process: `python -m pipeline.images.upscale_program` answers one order."""

from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.images.input_image import read_image
from pipeline.images.png_text import write_png
from pipeline.processes.program import answer


def _enlarge(order: dict[str, Any]) -> dict[str, Any]:
    size = (order["width"], order["height"])
    image = read_image(Path(order["source"]).read_bytes()).rgb
    if order["net"] is None:
        larger = image.resize(size, Image.Resampling.LANCZOS)
    else:
        # Torch takes seconds to load, and Lanczos' filter needs none of it.
        from pipeline.images.upscale import enlarged  # noqa: PLC0415

        larger = enlarged(image, size, Path(order["net"]), order["device"])
    Path(order["target"]).write_bytes(write_png(larger, order["texts"]))
    return {}


if __name__ == "__main__":
    answer(_enlarge)
