"""Whose control may be used again."""

from collections.abc import Awaitable, Callable

import pytest

from handlers.buttons import Press, press
from handlers.commands.form import Form
from handlers.messages.message import Verb
from pipeline.errors import InvalidRequest, UserError
from storage.queue.jobs import Job
from tests.handlers.images.control_person import Person, made_with_control, no_other_job, submitted

pytestmark = pytest.mark.slow  # every test draws real maps


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
        with pytest.raises(UserError, match=r"that you may use|no longer kept here"):
            await attempt(ada, made)

    form = await ada.press(Verb.SAME_CONTROL, made, "eve")
    await submitted(ada, form, "eve")
    job, _ = await ada.ended()
    assert job.member_id == "eve"


async def test_a_private_images_control_is_its_owners(ada: Person) -> None:
    """In the same channel too."""
    made = await made_with_control(ada)
    job = await _privately(ada, made)

    with pytest.raises(UserError, match="no longer kept here"):
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
