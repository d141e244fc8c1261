"""An image twice as large: a second pass of the model over the enlarged one, which draws what was too small before."""

from dataclasses import replace
from typing import Final

from pipeline.errors import InvalidRequest
from pipeline.models.metadata import ModelFacts
from pipeline.requests.image_request import MIN_SIZE, ImageRequest
from pipeline.requests.start_image import StartImage
from storage.queue.images import StoredImage

FACTOR: Final = 2
# A little more than one, or rounding leaves none.
_ONE_STEP: Final = 1 + 1e-6


def upscaled(request: ImageRequest, image: StoredImage, facts: ModelFacts) -> ImageRequest:
    """The request that draws `image`, which `request` made, at twice its size; raises InvalidRequest if too large.

    As strongly as the model bears it, and by one step at the least.
    """
    size = (FACTOR * image.width, FACTOR * image.height)
    return replace(second_pass(request, image.blob, size, facts), count=1, variations=(), controls=())


def second_pass(
    request: ImageRequest, image: str, size: tuple[int, int], facts: ModelFacts, strength: float | None = None
) -> ImageRequest:
    """`request` drawn over the image of that key in `size`, as strongly as the model bears it if nothing is said.

    Raises InvalidRequest if that is too small.
    """
    usual = max(facts.upscale_strength, min(1.0, _ONE_STEP / request.steps))
    start = StartImage(image=image, strength=usual if strength is None else strength)
    if min(size) < MIN_SIZE:
        sentence = (
            f"{size[0]}×{size[1]} is too small to be drawn again; /upscale without a prompt enlarges it as it is."
        )
        raise InvalidRequest("image", sentence)
    return replace(request, width=size[0] // 8 * 8, height=size[1] // 8 * 8, start=start)
