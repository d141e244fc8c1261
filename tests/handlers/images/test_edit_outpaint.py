"""More around an image."""

import pytest
from PIL import Image

from handlers.commands.context import AppContext
from pipeline.errors import InvalidRequest
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


@pytest.mark.parametrize("by_mask", [True, False])
async def test_what_is_marked_is_drawn_with_what_is_new(
    context: AppContext, guild: Guild, call: CallCommand, by_mask: bool
) -> None:
    """By a mask or by what is transparent in the image, at its own place."""
    hole = Image.new("L", (400, 200))
    hole.paste(255, (40, 40, 80, 80))
    image = photo()
    if not by_mask:
        image.putalpha(hole.point(lambda level: 255 - level))
    mask = {"mask": await attached(context, hole)} if by_mask else {}

    message = await call("edit", prompt="fox", image=await attached(context, image), outpaint="left", amount=50, **mask)

    start = (await queued(context, guild, message)).start
    assert start is not None
    drawn = read_image(await context.blobs.get(start.mask or "")).rgb.convert("L")
    assert [drawn.getpixel(place) for place in ((100, 100), (260, 60), (239, 60), (500, 100))] == [255, 255, 0, 0]


async def test_an_amount_without_a_side_is_refused(context: AppContext, call: CallCommand) -> None:
    """Rather than left out of account."""
    with pytest.raises(InvalidRequest, match="say on which side"):
        await call("edit", prompt="fox", image=await attached(context, photo()), amount=50)
