"""What members read of a job."""

import pytest
from PIL import Image

from handlers.messages.job_status import _notes, seconds_words
from handlers.messages.message import ShownImage
from pipeline.images.png_text import write_png
from pipeline.requests.control import EMPTY_MAP, ControlKind, ControlUse
from pipeline.requests.image_request import ImageRequest

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
