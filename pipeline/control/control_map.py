"""A control's map, as the nets read it and as people see it: one way for both."""

import io
import logging
import time

from PIL import Image, ImageOps

from pipeline.control.annotators import control_map
from pipeline.errors import UserError
from pipeline.images.input_image import read_image, resized
from pipeline.requests.control import ControlUse
from pipeline.requests.device_messages import DrawMap, Faulted, Refused, Rendered

_log = logging.getLogger(__name__)


def map_of(use: ControlUse, data: bytes, size: tuple[int, int]) -> Image.Image:
    """The map (RGB) of `use` in `size`, from the bytes of its image, or of a map that is ready.

    Raises UserError if they are no image, or one of which no map can be made.
    """
    image = read_image(data, "control").rgb
    if use.ready:
        return resized(ImageOps.invert(image) if use.inverted else image, size, use.resize)
    return control_map(use.kind, resized(image, size, use.resize), use.detail)


def drawn(order: DrawMap) -> Rendered | Refused | Faulted:
    """Draw what is ordered; whatever goes wrong is the answer."""
    start = time.perf_counter()
    file = io.BytesIO()
    try:
        map_of(order.use, order.image, (order.width, order.height)).save(file, "PNG")
    except UserError as error:
        return Refused(ticket=order.ticket, sentence=str(error))
    except Exception as error:
        _log.exception("a map failed for %s", order.ticket)
        return Faulted(ticket=order.ticket, why=f"{type(error).__name__}: {error}")
    return Rendered(ticket=order.ticket, png=file.getvalue(), device_seconds=time.perf_counter() - start)
