"""A picture twice as large: a second pass of the model over the enlarged one, which draws what was too small before."""

from dataclasses import replace
from typing import Final

from pipeline.image_request import ImageRequest
from pipeline.start_image import StartImage
from storage.pictures import Picture

FACTOR: Final = 2
STRENGTH: Final = 0.35
"""Enough to draw detail, too little to change what is shown."""


def upscaled(request: ImageRequest, picture: Picture) -> ImageRequest:
    """The request that draws `picture`, which `request` made, at twice its size; raises InvalidRequest if too large."""
    return replace(
        request,
        width=FACTOR * picture.width // 8 * 8,
        height=FACTOR * picture.height // 8 * 8,
        count=1,
        variations=(),
        start=StartImage(picture=picture.blob, strength=STRENGTH),
    )
