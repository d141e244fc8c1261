"""/control: what is kept of an image that was handed over."""

import pytest
from PIL import Image, ImageDraw

from handlers.commands.context import AppContext
from handlers.commands.permissions import NotAllowed
from pipeline.images.input_image import read_image
from pipeline.requests.control import ControlKind, ControlMode, ResizeMode
from storage.guilds.guilds import Guild, GuildSettings
from tests.app_contexts import CallCommand
from tests.handlers.images.attached import attached, photo, queued


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


async def test_a_drawing_on_nothing_is_kept_as_it_is_seen(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """Black strokes show, though most programs leave black where an image is transparent."""
    drawing = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    ImageDraw.Draw(drawing).line((8, 8, 50, 50), "black", 4)

    message = await call("control scribble", prompt="apple", image=await attached(context, drawing))

    (use,) = (await queued(context, guild, message)).controls
    kept = read_image(await context.blobs.get(use.image)).rgb
    assert (kept.getpixel((30, 30)), kept.getpixel((50, 10))) == ((0,) * 3, (255,) * 3)


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
