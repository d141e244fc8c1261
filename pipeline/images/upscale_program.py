"""What enlarges one image and ends: it reads an order from its input and writes an answer, both JSON."""

import json
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.errors import UserError
from pipeline.images.input_image import read_image


def _answer(order: dict[str, Any]) -> dict[str, Any]:
    size = (order["width"], order["height"])
    try:
        image = read_image(Path(order["source"]).read_bytes()).rgb
        if order["net"] is None:
            larger = image.resize(size, Image.Resampling.LANCZOS)
        else:
            # Torch takes seconds to load, and Lanczos' filter needs none of it.
            from pipeline.images.upscale import enlarged  # noqa: PLC0415

            larger = enlarged(image, size, Path(order["net"]), order["device"])
        larger.save(order["target"], "PNG")
    except UserError as error:
        return {"refused": str(error)}
    return {}


if __name__ == "__main__":
    json.dump(_answer(json.load(sys.stdin)), sys.stdout)
