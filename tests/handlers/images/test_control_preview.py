"""/control shows its map first: drawn by a device, adjusted and confirmed by whom it belongs to, used again later."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from PIL import Image, ImageDraw, ImageOps

from handlers.buttons import AlreadyHeard, Press, Pressed, Remove, press
from handlers.commands.attachments import AttachedFile
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.commands.forms import Form, submit_form
from handlers.commands.permissions import NotAllowed
from handlers.delivery.delivery import Delivery
from handlers.jobs.payloads import read_request
from handlers.messages.message import Message, Verb
from pipeline.control.annotators import control_map
from pipeline.errors import InvalidRequest, UserError
from pipeline.images.input_image import resized
from pipeline.requests.control import ControlKind
from storage.database import Database
from storage.guilds.guilds import Guild, GuildSettings
from storage.library.blob_gc import collect_blobs
from storage.platform import Platform
from storage.queue.jobs import Job, JobKind, JobState
from storage.queue.reply_address import ReplyAddress
from tests.app_contexts import CallCommand
from tests.eventually import eventually
from tests.fakes import FakeChat, FakeClock, FakeDevice
from tests.pool import rendering

pytestmark = pytest.mark.slow  # every test draws real maps


def scene() -> Image.Image:
    """A few edges, strong and faint ones."""
    image = Image.new("RGB", (300, 200), (90, 90, 90))
    drawing = ImageDraw.Draw(image)
    for number, level in enumerate((95, 105, 125, 180, 255)):
        drawing.rectangle((20 + 50 * number, 40, 50 + 50 * number, 160), fill=(level,) * 3)
    return image


def encoded(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@dataclass(slots=True, kw_only=True)
class Person:
    """A member who attaches, presses and fills forms; jobs are worked on between two of their deeds."""

    context: AppContext
    guild: Guild
    clock: FakeClock
    device: FakeDevice
    call: CallCommand
    chat: FakeChat

    async def attach(self, image: Image.Image) -> AttachedFile:
        data = encoded(image)
        return AttachedFile(blob=await self.context.blobs.put(data), name="scene.png", size=len(data))

    async def ended(self) -> tuple[Job, Message]:
        """The newest job at its end and the message that told of it."""

        async def look() -> Job | None:
            (job, *_) = await self.context.queue.guild_jobs(self.guild.id)
            return job if job.finished_at is not None else None

        job = await eventually(look)
        await Delivery(context=self.context, chat=self.chat, poster="p", clock=self.clock).deliver_due()
        return job, self.chat.delivered[-1][1]

    def caller(self, who: str = "ada", channel: str = "general", *, private: bool = False) -> Caller:
        address = ReplyAddress(platform=Platform.TERMINAL, channel_id=channel, user_id=who, private=private)
        return Caller(guild=self.guild, member=Member(id=who, name=who.title()), reply=address)

    async def press(self, verb: Verb, job: Job, who: str = "ada", channel: str = "general") -> Pressed:
        self.clock.advance(5)
        return await press(Press(verb=verb, target=job.id, index=0), self.caller(who, channel), self.context)


@pytest.fixture
async def ada(context: AppContext, guild: Guild, clock: FakeClock, call: CallCommand) -> AsyncIterator[Person]:
    device = FakeDevice()
    async with rendering(context, device):
        yield Person(context=context, guild=guild, clock=clock, device=device, call=call, chat=FakeChat())


async def shown(ada: Person, kind: str = "edge", /, **values: object) -> tuple[Job, Message]:
    """The map of a /control, as it was posted."""
    await ada.call(f"control {kind}", prompt="tower", image=await ada.attach(scene()), **values)
    return await ada.ended()


def labels(message: Message) -> list[str]:
    return [button.label for row in message.buttons for button in row]


async def test_the_map_is_shown_before_anything_is_made(ada: Person) -> None:
    """As the annotator draws it in the image's size, drawn by the device; nothing is rendered."""
    job, message = await shown(ada, count=3)

    assert (job.kind, job.state) == (JobKind.DRAW_MAP, JobState.DONE)
    (image,) = message.images
    asked = read_request(job.payload)
    expected = control_map(ControlKind.EDGE, resized(scene(), (asked.width, asked.height)))
    assert Image.open(io.BytesIO(image.data)).tobytes() == expected.tobytes()
    assert message.lines == ("This will be kept: sharp outlines. Looks right?",)
    assert labels(message) == ["Looks right", "Softer", "Stronger", "Use my picture as the map", "Cancel"]
    assert len(ada.device.maps) == 1
    assert ada.device.submitted == []


async def test_what_looks_right_is_made_with_that_very_map(ada: Person) -> None:
    """All images that were asked for, and as they were asked for."""
    job, message = await shown(ada, count=2, weight=0.7, seed=5)

    await ada.press(Verb.USE_MAP, job)
    made, result = await ada.ended()

    assert [render.request.seed for render in ada.device.submitted] == [5, 6]
    (use,) = ada.device.submitted[0].request.controls
    assert (use.ready, use.scale, use.kind) == (True, 0.7, ControlKind.EDGE)
    assert ada.device.submitted[0].images[use.image] == message.images[0].data
    assert made.kind is JobKind.IMAGINE
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

    (use,) = read_request(job.payload).controls
    assert (job.kind, use.ready, use.inverted) == (JobKind.IMAGINE, ready, inverted)
    assert any("black on white" in line for line in message.lines) == inverted
    assert ada.device.maps == []


async def test_a_map_as_nets_read_it_is_not_turned(ada: Person) -> None:
    """White on black is what it should be."""
    await ada.call("control edge", prompt="t", image=await ada.attach(control_map(ControlKind.EDGE, scene())), map=True)
    job, message = await ada.ended()

    assert not read_request(job.payload).controls[0].inverted
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


@asynccontextmanager
async def no_other_job(ada: Person) -> AsyncIterator[None]:
    before = len(await ada.context.queue.guild_jobs(ada.guild.id))
    yield
    assert len(await ada.context.queue.guild_jobs(ada.guild.id)) == before


async def made_with_control(ada: Person, **values: object) -> Job:
    """An image whose map looked right."""
    job, _ = await shown(ada, weight=0.7, seed=5, **values)
    await ada.press(Verb.USE_MAP, job)
    return (await ada.ended())[0]


async def submitted(ada: Person, form: object, who: str = "ada", **entries: str) -> None:
    assert isinstance(form, Form)
    values = {field.option.name: field.value for field in form.fields}
    await submit_form(form.call_id, values | entries, ada.caller(who), ada.context)


async def test_the_same_control_is_used_again_without_attaching(ada: Person) -> None:
    """The form has the prompt and no question for a file; the map is the same to the last byte."""
    first = await made_with_control(ada)

    form = await ada.press(Verb.SAME_CONTROL, first)
    assert isinstance(form, Form)
    asked = {field.option.name: field.value for field in form.fields}
    assert (form.title, asked["prompt"], asked["weight"], asked["seed"]) == ("/control edge", "tower", "0.7", "")
    assert not {"image"} & set(asked)
    await submitted(ada, form, prompt="lighthouse")
    await ada.ended()

    before, after = (render.request for render in ada.device.submitted)
    assert (after.prompt, after.controls, after.seed) == ("lighthouse", before.controls, 42)
    assert (after.width, after.height) == (before.width, before.height)
    assert len(ada.device.maps) == 1


async def test_what_is_kept_besides_goes_through_every_button(ada: Person) -> None:
    """One map is shown; softer, accepted, used again: the other kind stays as it was."""
    job, _ = await shown(ada, also="depth:0.5")
    await ada.press(Verb.SOFTER, job)
    softer, _ = await ada.ended()
    await ada.press(Verb.USE_MAP, softer)
    made, _ = await ada.ended()
    await submitted(ada, await ada.press(Verb.SAME_CONTROL, made), prompt="lighthouse")
    await ada.ended()

    first, second = (render.request.controls for render in ada.device.submitted)
    assert [(use.kind.value, use.scale, use.ready) for use in first] == [("edge", 1.0, True), ("depth", 0.5, False)]
    assert second == first


async def test_an_edit_with_a_control_is_begun_again(ada: Person) -> None:
    """With the image, the strength and the control that it had."""
    await ada.call("edit", prompt="tower", image=await ada.attach(scene()), control="edge", strength=0.4)
    first, _ = await ada.ended()

    form = await ada.press(Verb.SAME_CONTROL, first)
    await submitted(ada, form, prompt="lighthouse", **{"control-scale": "0.5"})
    await ada.ended()

    before, after = (render.request for render in ada.device.submitted)
    assert isinstance(form, Form)
    assert form.title == "/edit"
    assert (after.prompt, after.start) == ("lighthouse", before.start)
    assert [replace(use, scale=1.0) for use in after.controls] == list(before.controls)
    assert after.controls[0].scale == 0.5


async def test_a_kept_map_outlives_the_collection_of_blobs(ada: Person, sqlite: Database) -> None:
    """For as long as the button can be pressed: until its image is deleted, even where the map's own job is gone."""
    job, _ = await shown(ada)
    await ada.press(Verb.USE_MAP, job)
    made, _ = await ada.ended()
    form = await ada.press(Verb.SAME_CONTROL, made)
    await ada.context.members.delete_job(ada.guild.id, job.id)

    await collect_blobs(sqlite, ada.context.blobs, grace_seconds=-60)
    await submitted(ada, form)
    _, again = await ada.ended()
    assert again.images

    await ada.context.members.delete_job(ada.guild.id, made.id)
    async with no_other_job(ada):
        with pytest.raises(UserError, match="no longer kept"):
            await ada.press(Verb.SAME_CONTROL, made)
        with pytest.raises(InvalidRequest, match="no picture"):
            await ada.call("control edge", prompt="owl", base=made.id)


Refused = Callable[[Person, Job], Awaitable[object]]


@pytest.mark.parametrize(
    "attempt",
    [
        lambda ada, made: ada.press(Verb.SAME_CONTROL, made, "eve", "elsewhere"),
        lambda ada, made: ada.call("control edge", prompt="owl", base=made.id, member="eve", channel="elsewhere"),
        lambda ada, made: ada.call("edit", prompt="owl", base=made.id, member="eve", channel="elsewhere"),
    ],
)
async def test_a_control_is_for_whom_may_see_its_image(ada: Person, attempt: Refused) -> None:
    """Anyone who is where it was posted; nobody elsewhere, whatever number they type."""
    made = await made_with_control(ada)
    async with no_other_job(ada):
        with pytest.raises(InvalidRequest, match="that you may use"):
            await attempt(ada, made)

    form = await ada.press(Verb.SAME_CONTROL, made, "eve")
    await submitted(ada, form, "eve")
    job, _ = await ada.ended()
    assert job.member_id == "eve"


async def test_a_private_images_control_is_its_owners(ada: Person) -> None:
    """In the same channel too."""
    made = await made_with_control(ada)
    job = await _privately(ada, made)

    with pytest.raises(InvalidRequest, match="that you may use"):
        await ada.press(Verb.SAME_CONTROL, job, "eve")
    assert isinstance(await ada.press(Verb.SAME_CONTROL, job), Form)


async def _privately(ada: Person, made: Job) -> Job:
    """The same image asked for again, for its owner's eyes only."""
    ada.clock.advance(5)
    await press(Press(verb=Verb.AGAIN, target=made.id, index=0), ada.caller(private=True), ada.context)
    return (await ada.ended())[0]


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("control edge", {}, "needs a image"),
        ("control depth", {"base": 2}, "keeps edge; write /control edge"),
        ("control edge", {"base": 1}, "no picture 1 here"),
        ("control edge", {"base": 99}, "no picture 99 here"),
        ("control edge", {"base": 2, "also": "depth"}, "for more, attach the picture"),
        ("edit", {"base": 2}, "attach one to begin with"),
    ],
)
async def test_what_cannot_be_used_again_is_refused(
    ada: Person, name: str, values: dict[str, object], sentence: str
) -> None:
    """In one sentence; job 1 is the map, job 2 the image."""
    await made_with_control(ada)

    async with no_other_job(ada):
        with pytest.raises(InvalidRequest, match=sentence):
            await ada.call(name, prompt="owl", **values)
