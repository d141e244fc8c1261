"""A control's map, as the nets read it and as people see it: one way for both."""

import io
import logging
import time

from PIL import Image, ImageOps

from pipeline.errors import UserError
from pipeline.images.input_image import read_image, resized
from pipeline.requests.control import ControlUse
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


def drawn(order: DrawMap) -> Rendered | Refused | Faulted:
    """Draw the map that a message orders.

    Args:
        order: the image, the control and the size.

    Returns:
        The map as a PNG, or why there is none; no exception leaves this function.
    """
    start = time.perf_counter()
    file = io.BytesIO()
    try:
        map_of(order.use, order.images[order.use.image], (order.width, order.height)).save(file, "PNG")
    except UserError as error:
        return Refused(ticket=order.ticket, sentence=str(error))
    except Exception as error:
        _log.exception("a map failed for %s", order.ticket)
        return Faulted(ticket=order.ticket, why=f"{type(error).__name__}: {error}")
    return Rendered(ticket=order.ticket, png=file.getvalue(), device_seconds=time.perf_counter() - start)
