"""The program of the processes that open images: `python -m pipeline.images.image_program` answers one order.

It loads neither numpy nor torch, so that it begins in a fraction of a second.
"""

import itertools
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageOps

from pipeline.errors import UserError
from pipeline.images.file_parameters import own_or_other
from pipeline.images.grid import labelled_grid
from pipeline.images.input_image import MAX_PIXELS, Ground, check_bytes, grounded, is_mostly_light, read_image, within
from pipeline.images.outpaint import Direction, widened, widened_size
from pipeline.images.png_text import read_texts
from pipeline.processes.program import Order, answer

"""The process that answers members comes first."""

DISK: Final = "This server could not store the picture: its disk may be full; tell an admin, and try again later."
"""What a decoder cannot read is another matter, and has its own sentence."""

_QUALITIES: Final = (95, 80, 60)


def _take(order: Order) -> dict[str, Any]:
    source, most = Path(order["source"]), order["most_pixels"]
    check_bytes(source.stat().st_size, order["field"], order["max_bytes"])
    data = source.read_bytes()
    image = read_image(data, order["field"], order["max_bytes"])
    kept = within(grounded(image, Ground(order["ground"])), most)
    _save(kept, order["target"])
    if image.alpha is not None:
        _save(ImageOps.invert(within(image.alpha, most)), order["mask"])
    texts = _texts(data) if order["keywords"] else {}
    asked = {keyword: texts[keyword] for keyword in order["keywords"] if keyword in texts}
    return {"size": image.size, "kept_size": kept.size, "has_mask": image.alpha is not None, "texts": asked}


def _texts(data: bytes) -> dict[str, str]:
    """The texts of an image that could be opened; none if it is no PNG, or one that is damaged behind its pixels."""
    try:
        return read_texts(data)
    except UserError:
        return {}


def _widen(order: Order) -> dict[str, Any]:
    inner = read_image(Path(order["source"]).read_bytes()).rgb
    direction, amount = Direction(order["direction"]), order["amount"]
    width, height = widened_size(inner.size, direction, amount)
    if width * height > MAX_PIXELS:
        raise UserError(f"That makes {width}×{height} pixels, which is too large; ask for less around it.")
    hidden = order["hidden"] and read_image(Path(order["hidden"]).read_bytes()).rgb.convert("L")
    canvas, mask = widened(inner, direction, amount, hidden or None)
    _save(canvas, order["target"])
    _save(mask, order["mask"])
    return {"size": canvas.size}


def _judge_light(order: Order) -> dict[str, Any]:
    return {"is_light": is_mostly_light(read_image(Path(order["source"]).read_bytes(), order["field"]).rgb)}


def _draw_sheet(order: Order) -> dict[str, Any]:
    side = order["side"]
    images = []
    for source in order["sources"]:
        image = read_image(Path(source).read_bytes()).rgb
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        images.append(image)
    sheet = labelled_grid(images, order["columns"], order["rows"])
    _save(sheet, order["target"])
    return {"size": sheet.size}


def _read_parameters(order: Order) -> dict[str, Any]:
    own = own_or_other(Path(order["source"]).read_bytes())
    return {"own": own, "program": None} if isinstance(own, str) else {"own": None, "program": asdict(own)}


def _compress(order: Order) -> dict[str, Any]:
    target = Path(order["target"])
    image = read_image(Path(order["source"]).read_bytes()).rgb
    for most, quality in itertools.product(order["most_bytes"], _QUALITIES):
        image.save(target, "WEBP", quality=quality)
        if target.stat().st_size <= most:
            return {"fits": True}
    return {"fits": False}


def _save(image: Image.Image, target: str) -> None:
    # The fastest level: the file is a tenth larger than by the usual one, which takes four times as long.
    image.save(target, "PNG", compress_level=1)


_TASKS: Final[dict[str, Callable[[Order], dict[str, Any]]]] = {
    "TakeImage": _take,
    "WidenImage": _widen,
    "JudgeLight": _judge_light,
    "DrawSheet": _draw_sheet,
    "CompressImage": _compress,
    "ReadParameters": _read_parameters,
}


def work(order: Order) -> dict[str, Any]:
    """Do an order of `pipeline.images.image_process`.

    Args:
        order: its fields, and its name as `task`.

    Returns:
        The answer.

    Raises:
        UserError: one sentence why it cannot be done.
    """
    try:
        return _TASKS[order["task"]](order)
    except OSError as error:
        raise UserError(DISK) from error


def set_limits(_order: Order) -> None:
    """Refuse large images before a decoder takes memory for them.

    Args:
        _order: whatever is to be done.
    """
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow warns of more and refuses twice as many


if __name__ == "__main__":
    answer(work, ready=set_limits)
