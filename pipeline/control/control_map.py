"""A control's map, as the nets read it and as people see it: one way for both."""

import logging
import time

import numpy as np
from PIL import Image, ImageOps

from pipeline.errors import UserError
from pipeline.images.input_image import read_image, resized
from pipeline.images.png_text import write_png
from pipeline.memory import is_out_of_memory
from pipeline.requests.control import EMPTY_MAP, ControlUse
from pipeline.requests.device_messages import DrawMap, Faulted, Refused, Rendered

_log = logging.getLogger(__name__)


def map_of(use: ControlUse, data: bytes, size: tuple[int, int]) -> Image.Image:
    """The map that a request's control is read from: drawn from its image, or the image itself if that is a map
    already.

    Args:
        use: the kind, and whether the image is a map already (`ready`), dark on light (`inverted`), and how it is
            fitted into the size (`resize`).
        data: an image file as a person uploaded it.
        size: (width, height) in pixels.

    Returns:
        The map in RGB, of that size.

    Raises:
        UserError: the bytes are no image, or no map can be made of it.
    """
    # Not at the top: OpenCV and the models' classes are for controls alone, and most images have none.
    from pipeline.control.annotators import control_map  # noqa: PLC0415

    image = read_image(data, "control").rgb
    if use.ready:
        return resized(ImageOps.invert(image) if use.inverted else image, size, use.resize)
    return control_map(use.kind, resized(image, size, use.resize), use.detail)


def is_empty(use: ControlUse, drawing: Image.Image, data: bytes) -> bool:
    """Whether nothing was found that could be kept.

    Args:
        use: as `map_of`'s.
        drawing: its map.
        data: as `map_of`'s.

    Returns:
        Whether the map is plain, or was made of an image that is.
    """
    if is_plain(drawing, 64 if use.kind.is_lines else 16):
        return True
    if use.ready:
        return False
    # What stretches its levels, as distances are, finds near and far in a plain surface too.
    source = read_image(data, "control").rgb
    source.thumbnail((256, 256))
    return is_plain(source, 4)


def is_plain(image: Image.Image, contrast: int) -> bool:
    """Whether an image is one surface, with hardly a speck on it.

    Args:
        image: in RGB.
        contrast: the levels by which a pixel must differ from the most usual one to count.

    Returns:
        True where fewer than one pixel in 5000 does.
    """
    levels = np.asarray(image, dtype=np.int16)
    usual = np.median(levels, axis=(0, 1))
    return bool((np.abs(levels - usual).max(axis=2) > contrast).mean() < 1 / 5000)


def drawn(order: DrawMap) -> Rendered | Refused | Faulted:
    """Draw the map that a message orders.

    Args:
        order: the image, the control and the size.

    Returns:
        The map as a PNG, which says if there is nothing in it, or why there is none; no exception leaves this function.
    """
    start = time.perf_counter()
    use, data = order.use, order.images[order.use.image]
    try:
        drawing = map_of(use, data, (order.width, order.height))
        png = write_png(drawing, {EMPTY_MAP: use.kind} if is_empty(use, drawing, data) else {})
    except UserError as error:
        return Refused(ticket=order.ticket, sentence=str(error))
    except Exception as error:
        _log.exception("a map failed for %s", order.ticket)
        why = f"{type(error).__name__}: {error}"
        return Faulted(ticket=order.ticket, why=why, out_of_memory=is_out_of_memory(error))
    return Rendered(ticket=order.ticket, png=png, device_seconds=time.perf_counter() - start)
