"""/control shows its map first: drawn by a device, adjusted and confirmed by whom it belongs to, used again later."""

import asyncio
import io
from dataclasses import replace

import pytest
from PIL import Image, ImageOps

from handlers.buttons import Press, press
from handlers.commands.actions import AlreadyHeard, Remove
from handlers.commands.permissions import NotAllowed
from handlers.jobs.payloads import REQUEST
from handlers.messages.message import Verb
from pipeline.control.annotators import control_map
from pipeline.errors import InvalidRequest, UserError
from pipeline.images.input_image import resized
from pipeline.requests.control import ControlKind
from storage.guilds.guilds import GuildSettings
from storage.queue.jobs import JobKind, JobState
from tests.eventually import eventually
from tests.handlers.images.control_person import Person, labels, scene, shown

pytestmark = pytest.mark.slow  # every test draws real maps


async def test_the_map_is_shown_before_anything_is_made(ada: Person) -> None:
    """As the annotator draws it in the image's size, drawn by the device; nothing is rendered."""
    job, message = await shown(ada, count=3)

    assert (job.kind, job.state) == (JobKind.DRAW_MAP, JobState.DONE)
    (image,) = message.images
    asked = REQUEST.read(job.payload)
    expected = control_map(ControlKind.EDGE, resized(scene(), (asked.width, asked.height)))
    assert Image.open(io.BytesIO(image.data)).tobytes() == expected.tobytes()
    assert message.lines == ("This will be kept: sharp outlines. Looks right?",)
    assert labels(message) == ["Looks right", "Softer", "Stronger", "Use my picture as the map", "Cancel"]
    assert len(ada.device.maps) == 1
    assert ada.device.submitted == []


async def test_a_map_without_content_is_told_first(ada: Person) -> None:
    """Of a plain image nothing can be kept, and that is said before it is asked whether the map looks right."""
    await ada.call("control edge", prompt="sea", image=await ada.attach(Image.new("RGB", (300, 200), "teal")))
    _, message = await ada.ended()

    assert message.lines == (
        "This map is empty: nothing of that kind was found in your picture, so nothing would be kept.",
        "This will be kept: sharp outlines. Looks right?",
    )


async def test_what_looks_right_is_made_with_that_very_map(ada: Person) -> None:
    """All images that were asked for, and as they were asked for."""
    job, message = await shown(ada, count=2, weight=0.7, seed=5)

    await ada.press(Verb.USE_MAP, job)
    made, result = await ada.ended()

    assert [render.request.seed for render in ada.device.submitted] == [5, 6]
    (use,) = ada.device.submitted[0].request.controls
    assert (use.ready, use.scale, use.kind) == (True, 0.7, ControlKind.EDGE)
    assert ada.device.submitted[0].images[use.image] == message.images[0].data
    assert made.kind == JobKind.IMAGINE
    assert "Use the same control" in labels(result)


async def test_softer_and_stronger_draw_it_again(ada: Person) -> None:
    """With less and with more in it; at its ends a button that would do nothing is not there."""
    job, usual = await shown(ada)
    await ada.press(Verb.SOFTER, job)
    soft, softer = await ada.ended()
    await ada.press(Verb.STRONGER, job)
    _, stronger = await ada.ended()
    await ada.press(Verb.SOFTER, soft)
    _, softest = await ada.ended()

    lit = [Image.open(io.BytesIO(each.images[0].data)).convert("L").histogram()[255] for each in
           (softest, softer, usual, stronger)]  # fmt: skip
    assert lit == sorted(lit)
    assert lit[0] < lit[2] < lit[3]
    assert [order.use.detail for order in ada.device.maps] == [0, -1, 1, -2]
    assert "Softer" not in labels(softest)
    assert "Stronger" in labels(softest)


async def test_a_map_without_more_or_less_has_no_such_buttons(ada: Person) -> None:
    """Grey levels are what they are."""
    _, message = await shown(ada, "luminance")

    assert labels(message) == ["Looks right", "Use my picture as the map", "Cancel"]


async def test_the_image_itself_may_be_the_map(ada: Person) -> None:
    """Also where the device cannot draw one of it."""
    ada.device.no_maps = "No pose can be seen in this picture."
    job, message = await shown(ada, "pose")
    assert (job.state, job.error) == (JobState.FAILED, "No pose can be seen in this picture.")
    assert labels(message) == ["Use my picture as the map"]

    await ada.press(Verb.OWN_MAP, job)
    await ada.ended()

    (use,) = ada.device.submitted[0].request.controls
    assert (use.kind, use.ready, use.inverted) == (ControlKind.POSE, True, False)
    own = Image.open(io.BytesIO(ada.device.submitted[0].images[use.image]))
    assert own.tobytes() == scene().tobytes()


@pytest.mark.parametrize(
    ("kind", "values", "ready", "inverted"),
    [
        ("edge", {"map": True}, True, True),
        ("depth", {"map": True}, True, False),
        ("edge", {"preview": False}, False, False),
    ],
)
async def test_who_wants_no_look_gets_the_image_at_once(
    ada: Person, kind: str, values: dict[str, object], ready: bool, inverted: bool
) -> None:
    """By a ready map or by saying so; lines in black on white are turned, and the member is told."""
    drawing = ImageOps.invert(control_map(ControlKind.EDGE, scene()))

    await ada.call(f"control {kind}", prompt="tower", image=await ada.attach(drawing), **values)
    job, message = await ada.ended()

    (use,) = REQUEST.read(job.payload).controls
    assert (job.kind, use.ready, use.inverted) == (JobKind.IMAGINE, ready, inverted)
    assert any("black on white" in line for line in message.lines) == inverted
    assert ada.device.maps == []


async def test_a_map_as_nets_read_it_is_not_turned(ada: Person) -> None:
    """White on black is what it should be."""
    await ada.call("control edge", prompt="t", image=await ada.attach(control_map(ControlKind.EDGE, scene())), map=True)
    job, message = await ada.ended()

    assert not REQUEST.read(job.payload).controls[0].inverted
    assert message.lines == ()


@pytest.mark.parametrize("verb", [Verb.USE_MAP, Verb.SOFTER, Verb.STRONGER, Verb.OWN_MAP, Verb.CANCEL])
async def test_only_its_owner_may_say_what_becomes_of_a_map(ada: Person, verb: Verb) -> None:
    """Nothing is made for anybody else."""
    job, _ = await shown(ada)

    with pytest.raises(NotAllowed):
        await ada.press(verb, job, "eve")

    assert len(await ada.context.queue.guild_jobs(ada.guild.id)) == 1


async def test_two_clicks_at_once_make_one_thing(ada: Person) -> None:
    """Also on two different buttons: both would stand in the same message."""
    job, _ = await shown(ada)
    ada.clock.advance(5)

    results = await asyncio.gather(
        *(
            press(Press(verb=verb, target=job.id, index=0), ada.caller(), ada.context)
            for verb in (Verb.USE_MAP, Verb.USE_MAP, Verb.SOFTER)
        )
    )

    assert sum(isinstance(result, AlreadyHeard) for result in results) == 2
    assert len(await ada.context.queue.guild_jobs(ada.guild.id)) == 2


async def test_a_map_that_is_not_wanted_goes(ada: Person) -> None:
    """With its message and its job."""
    job, _ = await shown(ada)

    assert isinstance(await ada.press(Verb.CANCEL, job), Remove)
    assert await ada.context.queue.get(ada.guild.id, job.id) is None
    with pytest.raises(UserError, match="no longer kept"):
        await ada.press(Verb.USE_MAP, job)


async def test_an_image_has_no_buttons_of_a_map(ada: Person) -> None:
    """Nor a map those of an image, even where somebody writes such an id."""
    job, _ = await shown(ada)
    await ada.press(Verb.USE_MAP, job)
    made, _ = await ada.ended()

    for verb, target in ((Verb.AGAIN, job), (Verb.UPSCALE, job), (Verb.SAME_CONTROL, job), (Verb.SOFTER, made)):
        with pytest.raises(UserError):
            await ada.press(verb, target)


async def test_what_was_forbidden_since_is_refused(ada: Person) -> None:
    """By the role that the command asks for now."""
    job, _ = await shown(ada)
    ada.guild = replace(ada.guild, settings=GuildSettings(command_roles=(("control edge", ("artists",)),)))

    with pytest.raises(NotAllowed, match="needs a role"):
        await ada.press(Verb.USE_MAP, job)


async def test_the_caps_hold_before_a_map_is_drawn(ada: Person) -> None:
    """Nobody adjusts a map for an image that cannot be made."""
    with pytest.raises(InvalidRequest, match="this server allows up to 50"):
        await shown(ada, steps=60)


async def test_a_map_passes_what_waits_for_a_slot(ada: Person) -> None:
    """A device that is full of long images draws it between two steps; the others go on waiting."""
    ada.device.eager = False
    for number in range(6):
        await ada.call("imagine", prompt=f"fox {number}", member=f"member{number}")
    await eventually(lambda: _true(len(ada.device.submitted) == 4))
    await ada.call("control edge", prompt="tower", image=await ada.attach(scene()))
    await eventually(lambda: _true(len(ada.device.maps) == 1))
    ada.device.finish(ada.device.maps[0])

    job, message = await ada.ended()

    assert (job.kind, len(message.images)) == (JobKind.DRAW_MAP, 1)
    assert len(ada.device.submitted) == 4


async def test_a_device_that_dies_over_a_map_costs_nothing(ada: Person) -> None:
    """The next one draws it."""
    ada.device.eager = False
    await ada.call("control edge", prompt="tower", image=await ada.attach(scene()))
    await eventually(lambda: _true(len(ada.device.maps) == 1))
    ada.device.eager = True
    ada.device.die()

    job, message = await ada.ended()

    assert (job.state, job.attempt, len(message.images)) == (JobState.DONE, 2, 1)


async def _true(fact: bool) -> bool:
    return fact
