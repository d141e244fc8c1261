"""/edit: an image that was handed over is drawn over."""

from dataclasses import replace

import pytest
from PIL import Image

from handlers.commands.context import AppContext
from handlers.messages.job_status import size_words
from pipeline.errors import InvalidRequest
from pipeline.images.input_image import read_image
from pipeline.requests.control import ControlKind
from storage.guilds.guilds import Guild
from tests.app_contexts import CallCommand
from tests.handlers.images.attached import attached, photo, queued


async def test_an_edit_begins_with_the_image(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """With the pixels alone: not where they were taken."""
    exif = Image.Exif()
    exif[0x010E] = "my home"
    image = await attached(context, photo(), "JPEG", exif=exif)

    message = await call("edit", prompt="red fox", image=image, strength=0.5, seed=9)

    request = await queued(context, guild, message)
    assert request.start is not None
    assert (request.prompt, request.seed, request.start.strength, request.start.mask) == ("red fox", 9, 0.5, None)
    kept = await context.blobs.get(request.start.image)
    assert read_image(kept).size == (400, 200)
    assert b"my home" not in kept


@pytest.mark.parametrize(
    ("size", "most", "drawn", "told"),
    [
        ((125, 201), 1024, (128, 208), None),
        ((768, 768), 1024, (128, 128), "it is drawn at 128×128, since nothing so large can be drawn here."),
        ((400, 200), 128, (176, 88), "it is drawn at 176×88, since nothing so large can be drawn here."),
        ((40, 30), 1024, (144, 112), "it is drawn at 144×112, since nothing so small can be drawn here."),
    ],
)
async def test_an_image_keeps_its_size_or_is_told_why_not(
    context: AppContext,
    guild: Guild,
    call: CallCommand,
    size: tuple[int, int],
    most: int,
    drawn: tuple[int, int],
    told: str | None,
) -> None:
    """Of any proportions, up to what the model draws without losing itself and what the server allows."""
    await context.guilds.change_settings(guild.id, lambda settings: replace(settings, max_pixels=most * most), "ada")

    message = await call("edit", prompt="fox", image=await attached(context, photo(size)), strength=0.5)

    request = await queued(context, guild, message)
    assert (request.width, request.height) == drawn
    assert message.lines[1:] == (() if told is None else (f"Your picture has {size[0]}×{size[1]} pixels; {told}",))
    assert size_words(request) == message.lines[1:]


async def test_a_masked_image_keeps_its_size_whatever_is_drawn(
    context: AppContext, guild: Guild, call: CallCommand
) -> None:
    """What is new in it may be drawn smaller, and that is told."""
    image, mask = await attached(context, photo((900, 600))), await attached(context, Image.new("L", (9, 6), 255))

    message = await call("edit", prompt="fox", image=image, mask=mask)

    request = await queued(context, guild, message)
    assert request.start is not None
    assert read_image(await context.blobs.get(request.start.image)).size == (900, 600)
    assert (request.width, request.height) == (152, 104)
    assert "900×600 pixels; what is new in it is drawn at 152×104, since nothing so large" in message.lines[1]


@pytest.mark.parametrize("mode", ["P", "I;16", "LA"])
async def test_an_image_of_any_kind_keeps_its_size(
    context: AppContext, guild: Guild, call: CallCommand, mode: str
) -> None:
    """And one that a camera laid on its side is turned first."""
    exif = Image.Exif()
    exif[0x0112] = 6
    image = await attached(context, photo((150, 101)).convert("L").convert(mode), "TIFF", exif=exif)

    request = await queued(context, guild, await call("edit", prompt="fox", image=image))

    assert (request.width, request.height) == (104, 152)


async def test_a_mask_lets_all_of_its_part_change(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """Attached, or as the transparent part of the image."""
    holed = photo()
    holed.putalpha(Image.new("L", holed.size, 255))
    holed.paste((0, 0, 0, 0), (0, 0, 100, 200))
    image, mask = await attached(context, photo()), await attached(context, Image.new("L", (40, 20), 255))

    given = await queued(context, guild, await call("edit", prompt="fox", image=image, mask=mask, padding=16))
    own = await queued(context, guild, await call("edit", prompt="fox", image=await attached(context, holed)))

    assert given.start is not None
    assert own.start is not None
    assert (given.start.strength, given.start.padding, own.start.strength) == (1.0, 16, 1.0)
    hole = read_image(await context.blobs.get(own.start.mask or "")).rgb
    assert (hole.getpixel((50, 50)), hole.getpixel((150, 50))) == ((255,) * 3, (0,) * 3)


async def test_a_mask_painted_on_nothing_is_what_is_seen(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """White where a member painted, though the file holds white everywhere."""
    painted, shown = Image.new("RGBA", (40, 20), (255, 255, 255, 0)), (10, 5)
    painted.putpixel(shown, (255, 255, 255, 255))

    message = await call(
        "edit", prompt="fox", image=await attached(context, photo()), mask=await attached(context, painted)
    )

    start = (await queued(context, guild, message)).start
    assert start is not None
    mask = read_image(await context.blobs.get(start.mask or "")).rgb.convert("L")
    assert mask.getbbox() == (10, 5, 11, 6)


async def test_a_transparent_image_is_kept_as_it_is_seen(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """By its control: black strokes on nothing, which is black in the file."""
    drawing = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    drawing.paste((0, 0, 0, 255), (30, 10, 34, 50))

    message = await call("edit", prompt="fox", image=await attached(context, drawing), control="scribble")

    request = await queued(context, guild, message)
    kept = read_image(await context.blobs.get(request.controls[0].image)).rgb
    assert (kept.getpixel((32, 30)), kept.getpixel((5, 5))) == ((0,) * 3, (255,) * 3)
    assert request.start is not None
    assert request.start.image != request.controls[0].image


async def test_an_edit_may_keep_a_control_as_well(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """Of the image itself or of another one; all of them are kept with the job."""
    image, other = await attached(context, photo()), await attached(context, photo((64, 64)))

    same = await queued(context, guild, await call("edit", prompt="fox", image=image, control="edge"))
    another = await queued(
        context, guild, await call("edit", prompt="fox", image=image, control="depth", control_image=other)
    )

    assert same.start is not None
    assert [(use.kind, use.image) for use in same.controls] == [(ControlKind.EDGE, same.start.image)]
    assert another.controls[0].kind is ControlKind.DEPTH
    assert len(set(another.image_keys)) == 2


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"prompt": "{red|blue} fox"}, "over a picture, give one at a time"),
        ({"prompt": "fox", "padding": 8}, "padding is for a mask"),
        ({"prompt": "fox", "strength": 0.05, "steps": 10}, "strength is too low for 10 steps"),
        ({"prompt": "fox", "steps": 60}, "this server allows up to 50"),
    ],
)
async def test_what_cannot_be_drawn_over_an_image_is_refused(
    context: AppContext, call: CallCommand, values: dict[str, object], sentence: str
) -> None:
    """In one sentence."""
    image = await attached(context, photo())
    with pytest.raises(InvalidRequest, match=sentence):
        await call("edit", image=image, **values)


async def test_words_stand_for_a_mask(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """All of what they name may change; an image that has a mask needs none."""
    image, mask = await attached(context, photo()), await attached(context, Image.new("L", (40, 20), 255))

    message = await call("edit", prompt="storm", image=image, mask_of="sky, tree", padding=8)

    request = await queued(context, guild, message)
    assert request.start is not None
    assert (request.start.mask_of, request.start.mask, request.start.strength) == ("sky, tree", None, 1.0)
    for values, sentence in (
        ({"mask": mask, "mask_of": "sky"}, "leave out one"),
        ({"mask_of": "y" * 101}, "name less"),
    ):
        with pytest.raises(InvalidRequest, match=sentence):
            await call("edit", prompt="storm", image=image, **values)
