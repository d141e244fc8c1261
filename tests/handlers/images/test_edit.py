"""/edit and /control: an image that was handed over becomes part of a request."""

import io

import pytest
from PIL import Image

from handlers.commands.attachments import AttachedFile
from handlers.commands.context import AppContext
from handlers.commands.permissions import NotAllowed
from handlers.jobs.payloads import read_request
from handlers.messages.message import Message
from pipeline.errors import InvalidRequest
from pipeline.images.input_image import read_image
from pipeline.requests.control import ControlKind, ControlMode, ResizeMode
from pipeline.requests.image_request import ImageRequest
from storage.guilds.guilds import Guild, GuildSettings
from tests.app_contexts import CallCommand


async def attached(context: AppContext, image: Image.Image, kind: str = "PNG", **options: object) -> AttachedFile:
    file = io.BytesIO()
    image.save(file, kind, **options)
    blob = await context.blobs.put(file.getvalue())
    return AttachedFile(blob=blob, name="fox.png", size=len(file.getvalue()))


async def queued(context: AppContext, guild: Guild, message: Message) -> ImageRequest:
    job = await context.queue.get(guild.id, message.job_id or 0)
    assert job is not None
    return read_request(job.payload)


def photo(size: tuple[int, int] = (400, 200)) -> Image.Image:
    return Image.linear_gradient("L").resize(size).convert("RGB")


async def test_an_edit_begins_with_the_image(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """In its own proportions at the model's own area, with the pixels alone: not where they were taken."""
    exif = Image.Exif()
    exif[0x010E] = "my home"
    image = await attached(context, photo(), "JPEG", exif=exif)

    message = await call("edit", prompt="red fox", image=image, strength=0.5, seed=9)

    request = await queued(context, guild, message)
    assert request.start is not None
    assert (request.prompt, request.seed, request.start.strength, request.start.mask) == ("red fox", 9, 0.5, None)
    assert (request.width, request.height) == (176, 96)
    kept = await context.blobs.get(request.start.image)
    assert read_image(kept).size == (400, 200)
    assert b"my home" not in kept


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


async def test_a_control_keeps_all_that_the_member_says(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """And what it was not told has the usual values."""
    image = await attached(context, photo((100, 300)))

    plain = await queued(context, guild, await call("control edge", prompt="fox", image=image))
    chosen = await queued(
        context,
        guild,
        await call(
            "control lineart", prompt="fox", image=image, weight=0.7, detail=-1, map=True, start=0.1, end=0.6,
            mode="control", resize="fit",
        ),
    )  # fmt: skip

    (usual,), (own,) = plain.controls, chosen.controls
    assert (usual.kind, usual.scale, usual.ready, usual.mode) == (ControlKind.EDGE, 1.0, False, ControlMode.BALANCED)
    assert (own.kind, own.scale, own.detail, own.ready) == (ControlKind.LINEART, 0.7, -1, True)
    assert (own.start, own.end, own.mode, own.resize) == (0.1, 0.6, ControlMode.CONTROL, ResizeMode.FIT)
    assert plain.start is None
    assert plain.height > plain.width


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


async def test_a_file_that_is_no_image_is_refused_by_its_option(context: AppContext, call: CallCommand) -> None:
    """So that a form can say it beside the field."""
    image = await attached(context, photo())
    page = AttachedFile(blob=await context.blobs.put(b"<html>"), name="a.png", size=6)
    for values, field in (({"image": page}, "image"), ({"image": image, "mask": page}, "mask")):
        with pytest.raises(InvalidRequest, match=f"The {field} cannot be read") as refusal:
            await call("edit", prompt="fox", **values)
        assert refusal.value.field == field


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


async def test_several_kinds_are_kept_of_one_image(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """Each as much as is said, the first by its own options; in a new image and over the old one."""
    image = await attached(context, photo())
    also = "depth:0.5, pose"

    new = await queued(
        context, guild, await call("control edge", prompt="fox", image=image, also=also, weight=0.7, preview=False)
    )
    over = await queued(context, guild, await call("edit", prompt="fox", image=image, control="edge", also=also))
    alone = await queued(context, guild, await call("edit", prompt="fox", image=image, also="depth"))

    kept = [(use.kind.value, use.scale) for use in new.controls]
    assert kept == [("edge", 0.7), ("depth", 0.5), ("pose", 1.0)]
    assert [(use.kind.value, use.scale) for use in over.controls] == [("edge", 1.0), ("depth", 0.5), ("pose", 1.0)]
    assert [use.kind.value for use in alone.controls] == ["depth"]
    assert len({use.image for use in (*new.controls, *over.controls)}) == 1


@pytest.mark.parametrize(
    ("also", "sentence"),
    [
        ("depth:0.5 deep", r"^also 'deep' is unclear; write kinds such as depth:0.5 pose; there are: edge, scribble"),
        ("depth edge", "^edge is kept already; name each kind once.$"),
        ("depth pose depth", "^depth is kept already; name each kind once.$"),
        ("depth:3", "^control scale is 3; use 0 to 2.$"),
        ("depth pose normal tile", "^number of controls is 5; use 0 to 4.$"),
    ],
)
async def test_what_cannot_be_kept_too_is_refused(
    context: AppContext, call: CallCommand, also: str, sentence: str
) -> None:
    """In one sentence."""
    image = await attached(context, photo())
    with pytest.raises(InvalidRequest, match=sentence):
        await call("control edge", prompt="fox", image=image, also=also)


async def test_controls_are_held_to_the_roles(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """Each kind by its own name."""
    await context.guilds.save_settings(guild.id, GuildSettings(command_roles=(("control pose", ("artists",)),)), "boss")
    image = await attached(context, photo())

    await call("control edge", prompt="fox", image=image)
    for command, options in (
        ("control pose", {}),
        ("control edge", {"also": "pose"}),
        ("edit", {"control": "pose"}),
        ("edit", {"also": "edge pose"}),
    ):
        with pytest.raises(NotAllowed, match=r"^/control pose needs a role that you do not have"):
            await call(command, prompt="fox", image=image, **options)
