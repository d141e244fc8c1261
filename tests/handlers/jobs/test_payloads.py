"""A request in a job's row."""

from handlers.jobs.payloads import REQUEST
from pipeline.requests.control import ControlKind, ControlUse
from pipeline.requests.image_request import LoraUse, Variation
from pipeline.requests.start_image import StartImage
from tests.fakes import request


def test_a_request_comes_back_whole() -> None:
    """With all that stands inside it."""
    whole = request(
        "“red” fox\n", loras=(LoraUse(key="k", name="crayon", scale=0.1, text_encoder_scale=0.2),),
        start=StartImage(image="key", mask="other", strength=1.0), variations=(Variation(seed=3, strength=0.15),),
        controls=(ControlUse(kind=ControlKind.EDGE, image="key", scale=0.7),),
    )  # fmt: skip

    assert REQUEST.read(REQUEST.write(whole)) == whole
