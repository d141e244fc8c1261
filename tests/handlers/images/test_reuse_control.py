"""The button that uses a control again."""

from dataclasses import replace

import pytest

from handlers.commands.form import Form
from handlers.messages.message import Verb
from pipeline.errors import InvalidRequest, UserError
from storage.database import Database
from storage.library.blob_gc import collect_blobs
from tests.handlers.images.control_person import Person, made_with_control, no_other_job, scene, shown, submitted

pytestmark = pytest.mark.slow  # every test draws real maps


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

    await collect_blobs(sqlite, ada.context.blobs, grace_seconds=float("-inf"))
    await submitted(ada, form)
    _, again = await ada.ended()
    assert again.images

    await ada.context.members.delete_job(ada.guild.id, made.id)
    async with no_other_job(ada):
        with pytest.raises(UserError, match="no longer kept"):
            await ada.press(Verb.SAME_CONTROL, made)
        with pytest.raises(InvalidRequest, match="no picture"):
            await ada.call("control edge", prompt="owl", base=made.id)
