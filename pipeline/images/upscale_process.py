"""An image enlarged in a process of its own, so that torch is not imported in the parent.

`python -m pipeline.images.upscale_process` reads one order from its input and writes one answer, both JSON.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image

from pipeline.errors import UserError
from pipeline.images.input_image import read_image
from pipeline.processes.child import ask, running

_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Enlargement:
    """An order to write the image `source` to `target`, as a PNG of `width` by `height` pixels.

    `net` is the file of the upscaler's weights, None for Lanczos' filter; `device` is where the net runs.
    """

    source: Path
    target: Path
    width: int
    height: int
    net: Path | None
    device: str


async def enlarge_apart(order: Enlargement) -> None:
    """Enlarge an image in a child process, within fifteen minutes.

    Args:
        order: what to do; its file `target` is there afterwards.

    Raises:
        UserError: one sentence why it cannot be done.
    """
    async with running(__name__) as child:
        answer = json.loads(await ask(child, asdict(order), _SECONDS) or '{"refused": ""}')
    if (sentence := answer.get("refused")) is not None:
        raise UserError(sentence or "This picture could not be enlarged here; try a smaller factor, or lanczos.")


def _answer(order: dict[str, Any]) -> dict[str, Any]:
    size = (order["width"], order["height"])
    try:
        image = read_image(Path(order["source"]).read_bytes()).rgb
        if order["net"] is None:
            larger = image.resize(size, Image.Resampling.LANCZOS)
        else:
            # Only a net needs torch, which takes seconds to import.
            from pipeline.images.upscale import enlarged  # noqa: PLC0415

            larger = enlarged(image, size, Path(order["net"]), order["device"])
        larger.save(order["target"], "PNG")
    except UserError as error:
        return {"refused": str(error)}
    return {}


if __name__ == "__main__":
    json.dump(_answer(json.load(sys.stdin)), sys.stdout)
