"""Requests whose controls are ready maps."""

from typing import Any

from PIL import Image

from pipeline.engine.engine import Engine
from pipeline.requests.control import ControlKind, ControlUse
from pipeline.requests.device_messages import Event
from pipeline.requests.image_request import ImageRequest
from tests.pipeline.scene import IMAGES, png

FAMILY = {"pocket": "sdxl", "sd15": "sd15"}
MAPS = {"edge": Image.linear_gradient("L"), "depth": Image.radial_gradient("L")}
HANDED = {**IMAGES, **{kind: png(image.resize((64, 64))) for kind, image in MAPS.items()}}


def control(kind: str = "edge", **changes: Any) -> ControlUse:
    """A control by a ready map."""
    return ControlUse(**{"kind": ControlKind(kind), "image": kind, "ready": True, **changes})


def last_word(engine: Engine, request: ImageRequest, images: dict[str, bytes] = HANDED) -> Event:
    engine.admit("a", request, images=images)
    events: list[Event] = []
    while not engine.idle:
        events += engine.step()
    return events[-1]
