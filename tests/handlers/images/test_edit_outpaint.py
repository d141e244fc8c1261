"""More around an image."""

import pytest

from handlers.commands.context import AppContext
from pipeline.images.input_image import read_image
from storage.guilds.guilds import Guild
from tests.app_contexts import CallCommand
from tests.handlers.images.attached import attached, photo, queued


@pytest.mark.parametrize(
    ("direction", "size", "new", "old"),
    [
        ("right", (600, 200), (500, 100), (100, 100)),
        ("left", (600, 200), (100, 100), (500, 100)),
        ("up", (400, 300), (200, 50), (200, 250)),
        ("down", (400, 300), (200, 250), (200, 50)),
        ("all", (600, 300), (10, 10), (300, 150)),
    ],
)
async def test_more_is_drawn_around_an_image(
    context: AppContext,
    guild: Guild,
    call: CallCommand,
    direction: str,
    size: tuple[int, int],
    new: tuple[int, int],
    old: tuple[int, int],
) -> None:
    """On that side alone; what was there stays, but for a seam that is drawn again."""
    image = await attached(context, photo())

    request = await queued(context, guild, await call("edit", prompt="fox", image=image, outpaint=direction, amount=50))

    assert request.start is not None
    canvas, mask = [
        read_image(await context.blobs.get(key)).rgb for key in (request.start.image, request.start.mask or "")
    ]
    assert canvas.size == mask.size == size
    assert (mask.getpixel(new), mask.getpixel(old)) == ((255,) * 3, (0,) * 3)
    assert request.start.strength == 1.0
    assert (request.width > request.height) == (size[0] > size[1])
