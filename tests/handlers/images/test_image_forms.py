"""Forms for an image that stands in a message already."""

import pytest

from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.commands.forms import KIND
from handlers.images.image_forms import CHOSEN, ImageForm, control_form, start_form
from pipeline.requests.control import ControlKind
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.pending_calls import ChosenFile
from storage.queue.reply_address import ReplyAddress

IMAGE = ChosenFile(option=CHOSEN, name="fox.png", size=1, place="where it lies")


@pytest.mark.parametrize(("form", "name"), [(start_form, "edit"), (control_form, "control edge")])
async def test_a_form_asks_for_no_file_and_keeps_the_image(
    context: AppContext, guild: Guild, form: ImageForm, name: str
) -> None:
    """It is fetched when the form is sent."""
    reply = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id="ada")
    caller = Caller(guild=guild, member=Member(id="ada", name="Ada"), reply=reply)

    made = await form(IMAGE, caller, context)

    assert made.command.name == name
    assert CHOSEN not in {field.option.name for field in made.fields}
    saved = await context.calls.get(guild.id, made.call_id)
    assert saved is not None
    assert (saved.command, saved.file) == (name, IMAGE)
    asks_for_kind = made.fields[0].option.name == KIND
    assert asks_for_kind == (form is control_form)
    if asks_for_kind:
        assert made.fields[0].option.choices == tuple(ControlKind)
