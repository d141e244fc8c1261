"""What members read of a job."""

import pytest
from PIL import Image

from handlers.messages.job_status import _notes, _result_size, seconds_words
from handlers.messages.message import ShownImage
from pipeline.images.png_text import write_png
from pipeline.requests.control import EMPTY_MAP, ControlKind, ControlUse
from pipeline.requests.image_request import ImageRequest
from pipeline.requests.start_image import StartImage

EMPTY = "Nothing was found to keep by the control edge, qr: its map is empty."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "a moment"),
        (1.49, "a moment"),
        (1.5, "about 2 s"),
        (9.4, "about 9 s"),
        (10.0, "about 10 s"),
        (10.6, "about 10 s"),
        (12.6, "about 15 s"),
        (89.9, "about 90 s"),
        (90.0, "about 2 min"),
        (149.0, "about 2 min"),
        (151.0, "about 3 min"),
        (90 * 60 - 1.0, "about 90 min"),
        (90 * 60.0, "about 2 h"),
        (5 * 3600.0, "about 5 h"),
    ],
)
def test_a_duration_is_said_as_a_person_would(seconds: float, words: str) -> None:
    """In seconds up to a minute and a half, in minutes up to an hour and a half; from ten seconds on in fives."""
    assert seconds_words(seconds) == words


@pytest.mark.parametrize(("texts", "lines"), [({}, ()), ({EMPTY_MAP: "edge, qr"}, (EMPTY,))])
def test_an_image_without_content_for_its_controls_says_so(texts: dict[str, str], lines: tuple[str, ...]) -> None:
    """Once for all images of a job; they say it themselves."""
    request = ImageRequest(
        prompt="fox", width=64, height=64, steps=4, guidance_scale=5.0, seed=1, model="pocket",
        controls=(ControlUse(kind=ControlKind.EDGE, image="k"),),
    )  # fmt: skip
    shown = ShownImage(data=write_png(Image.new("RGB", (8, 8)), texts), file_name="fox.png", alt_text="fox")

    assert _notes(request, (shown, shown)) == lines


@pytest.mark.parametrize(
    ("handed", "result", "told"),
    [
        ((3000, 2000), (1254, 836), ("The result has 1254×836 pixels, as many as are allowed here.",)),
        ((768, 768), (768, 768), ()),
        ((40, 30), (144, 112), ()),
    ],
)
def test_a_result_says_its_own_size(handed: tuple[int, int], result: tuple[int, int], told: tuple[str, ...]) -> None:
    """And that it is smaller than what was handed over, beside the size in which it was drawn."""
    request = ImageRequest(
        prompt="fox", width=144, height=112, steps=4, guidance_scale=5.0, seed=1, model="pocket",
        start=StartImage(image="k", original_size=handed),
    )  # fmt: skip
    shown = ShownImage(data=write_png(Image.new("RGB", result), {}), file_name="fox.png", alt_text="fox")

    assert _notes(request, (shown,))[1:] == told
    assert _result_size(request, (shown,)) == result


def test_a_result_of_no_multiple_of_eight_says_its_own_size() -> None:
    """Not the one in which it was drawn."""
    request = ImageRequest(
        prompt="fox", width=128, height=136, steps=4, guidance_scale=5.0, seed=1, model="pocket",
        start=StartImage(image="k"),
    )  # fmt: skip
    shown = ShownImage(data=write_png(Image.new("RGB", (127, 129)), {}), file_name="fox.png", alt_text="fox")

    assert (_result_size(request, (shown,)), _result_size(request, ())) == ((127, 129), (128, 136))
