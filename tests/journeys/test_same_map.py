"""One annotator, wherever it is asked: the library, the terminal, Slack and Discord show the same map."""

import io
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from bot.discord import attachments
from pipeline.control.annotator_models import MODELS
from pipeline.control.annotators import control_map
from pipeline.images.input_image import read_image, resized
from pipeline.requests.aspect_ratio import size_like
from pipeline.requests.control import ControlKind
from tests.app_contexts import FACTS
from tests.journeys.places import Place, at_terminal, in_slack, on_discord
from tests.pipeline.tiny_annotators import put_into_cache


@pytest.fixture
def learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every model that draws a map is here, tiny."""
    cache = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    for kind in MODELS:
        put_into_cache(cache, kind)


@pytest.fixture(
    params=[
        pytest.param(at_terminal, id="terminal"),
        pytest.param(in_slack, id="slack", marks=pytest.mark.soak),
        pytest.param(on_discord, id="discord"),
    ]
)
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, empty_sqlite: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    monkeypatch.setattr(attachments, "HOSTS", {"cdn.simcord.invalid"})
    enter: Callable[[Path, Path], AbstractAsyncContextManager[Place]] = request.param
    async with enter(tmp_path, empty_sqlite) as somewhere:
        yield somewhere


@pytest.mark.usefixtures("learned")
async def test_the_same_annotator_gives_the_same_map_everywhere(place: Place) -> None:
    """To the last bit, of a photograph that was taken with the camera on its side; more of it where that is asked."""
    seen: set[bytes] = set()
    for number, kind in enumerate(ControlKind, start=1):
        detail = 1.0 if kind.has_detail else 0.0
        await place.type(f"/control {kind} a tower{' --detail 1' if detail else ''}", image=photograph())

        shown = {pixels(Image.open(io.BytesIO(data))) for data in await place.images(number)}

        image = read_image(photograph()).rgb
        size = size_like(*image.size, FACTS.width)
        assert shown - seen == {pixels(control_map(kind, resized(image, size), detail))}, kind
        seen = shown


def photograph() -> bytes:
    """Lines, patches and a slope, in a JPEG whose own words say that it is to be turned."""
    image = Image.linear_gradient("L").resize((300, 200)).convert("RGB")
    drawing = ImageDraw.Draw(image)
    for number, colour in enumerate(("navy", "red", "gold", "white", "teal")):
        drawing.rectangle((20 + 50 * number, 30, 50 + 50 * number, 160), fill=colour)
        drawing.ellipse((30 + 50 * number, 90, 60 + 50 * number, 180), outline="black", width=2)
    turned, file = Image.Exif(), io.BytesIO()
    turned[0x0112] = 6
    image.save(file, "JPEG", exif=turned)
    return file.getvalue()


def pixels(image: Image.Image) -> bytes:
    """Its size and its levels."""
    return repr(image.size).encode() + image.convert("RGB").tobytes()
