"""/control from the attached image to one more with the same control, through a power cut, on both platforms."""

import io
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from pipeline.control.annotators import control_map
from pipeline.images.metadata import read
from pipeline.requests.control import ControlKind, ControlUse
from storage.blobs import FileBlobStore
from tests.journeys.served import Channel, discord_channel, slack_channel
from tests.wire.slack.process import serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # whole processes, each of which loads a model


@pytest.fixture(
    params=[
        pytest.param(slack_channel, id="slack"),
        pytest.param(discord_channel, id="discord", marks=pytest.mark.soak),
    ]
)
async def channel(request: pytest.FixtureRequest) -> AsyncIterator[Channel]:
    enter: Callable[[], AbstractAsyncContextManager[Channel]] = request.param
    async with enter() as somewhere:
        yield somewhere


async def test_a_control_from_the_image_to_its_second_use(channel: Channel, tmp_path: Path) -> None:
    """Attached, shown, adjusted, confirmed, drawn, used again; each map is the library's, and nothing comes twice."""
    environment = {**channel.environment, "LIMNER_STALE_SECONDS": "2"}
    async with serving(tmp_path, **environment) as served:
        await served.ready()
        await channel.attach("control edge", "red fox, flat style --steps 30 --seed 7 --weight 0.9", tower())
        usual = await channel.image("Looks right")
        await channel.press("Softer")
        softer = await channel.image("Looks right", other_than=usual)
        await channel.press("Looks right")
        await channel.loses("Looks right")
        await served.cut_power()
    assert (pixels(usual), pixels(softer)) == (pixels(edges(0)), pixels(edges(-1)))

    async with serving(tmp_path, **environment) as served:
        await served.ready()
        first = await channel.image("Use the same control")
        await channel.press("Use the same control")
        await channel.fill(prompt="blue penguin, glossy style")
        second = await channel.image("Use the same control", other_than=first)

    made, again = read(first).made_from, read(second).made_from
    assert (made.prompt, made.seed) == ("red fox, flat style", 7)
    assert (again.prompt, again.steps) == ("blue penguin, glossy style", 30)
    assert again.controls == made.controls
    assert made.controls == (
        ControlUse(kind=ControlKind.EDGE, image=made.controls[0].image, ready=True, detail=-1.0, scale=0.9),
    )
    assert await FileBlobStore(tmp_path / "blobs").get(made.controls[0].image) == softer
    assert channel.count() == 2


def tower() -> bytes:
    """A few edges, strong and faint ones, in the size that the model draws."""
    image, file = Image.new("RGB", (128, 128), (90, 90, 90)), io.BytesIO()
    drawing = ImageDraw.Draw(image)
    for number, level in enumerate((95, 105, 125, 180, 255)):
        drawing.rectangle((5 + 24 * number, 20 + 6 * number, 18 + 24 * number, 120), fill=(level,) * 3)
    image.save(file, "PNG")
    return file.getvalue()


def edges(detail: float) -> Image.Image:
    return control_map(ControlKind.EDGE, Image.open(io.BytesIO(tower())).convert("RGB"), detail)


def pixels(image: Image.Image | bytes) -> bytes:
    shown = Image.open(io.BytesIO(image)) if isinstance(image, bytes) else image
    return shown.convert("RGB").tobytes()
