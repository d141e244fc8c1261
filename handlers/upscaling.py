"""A picture twice as large: a second pass of the model over the enlarged one, which draws what was too small before."""

from dataclasses import replace
from typing import Final

from pipeline.image_request import ImageRequest
from pipeline.model_facts import ModelFacts
from pipeline.start_image import StartImage
from storage.pictures import Picture

FACTOR: Final = 2
# A little more than one, or rounding leaves none.
_ONE_STEP: Final = 1 + 1e-6


def upscaled(request: ImageRequest, picture: Picture, facts: ModelFacts) -> ImageRequest:
    """The request that draws `picture`, which `request` made, at twice its size; raises InvalidRequest if too large.

    As strongly as the model bears it, and by one step at the least.
    """
    return replace(
        request,
        width=FACTOR * picture.width // 8 * 8,
        height=FACTOR * picture.height // 8 * 8,
        count=1,
        variations=(),
        controls=(),
        start=StartImage(picture=picture.blob, strength=max(facts.upscale_strength, _ONE_STEP / request.steps)),
    )
