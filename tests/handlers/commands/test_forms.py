"""A form that asks for more values of a command."""

from dataclasses import replace

import pytest

from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.commands.forms import KIND, advanced_form, edit_form, submit_form
from handlers.commands.permissions import NotAllowed
from handlers.community.settings import COMMAND as SETTINGS
from handlers.images.imagine import COMMAND as IMAGINE
from handlers.jobs.payloads import REQUEST
from pipeline.errors import InvalidRequest, UserError
from pipeline.requests.image_request import ImageRequest
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.pending_calls import ChosenFile
from storage.queue.reply_address import ReplyAddress
from tests.brushes import LOAD, with_brushes

CHOSEN = ChosenFile(option="file", name="soft.png", size=3, place="where it lies")


def caller(guild: Guild, member: str = "ada") -> Caller:
    reply = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id=member)
    return Caller(guild=guild, member=Member(id=member, name=member.title()), reply=reply)


async def newest(context: AppContext, guild: Guild) -> ImageRequest:
    (job,) = await context.queue.guild_jobs(guild.id, limit=1)
    return REQUEST.read(job.payload)


async def test_a_form_is_its_askers_own(context: AppContext, guild: Guild) -> None:
    """Another member's form, or one that is long gone, is refused."""
    form = await edit_form(IMAGINE, {}, caller(guild), context)

    with pytest.raises(NotAllowed, match="offered to somebody else"):
        await submit_form(form.call_id, {"prompt": "owl"}, caller(guild, "bob"), context)
    with pytest.raises(UserError, match="too old"):
        await submit_form(form.call_id + 1, {"prompt": "owl"}, caller(guild), context)


async def test_what_was_given_before_the_form_is_kept(context: AppContext, guild: Guild) -> None:
    """It asks for the rest alone; a field that is left empty is no value."""
    form = await advanced_form(IMAGINE, {"prompt": "fox", "seed": 9, "width": 136}, caller(guild), context)

    asked = {field.option.name: field.value for field in form.fields}
    assert set(asked) == {option.name for option in IMAGINE.options if option.advanced}
    assert asked["width"] == "136"
    await submit_form(form.call_id, asked | {"height": "144"}, caller(guild), context)

    request = await newest(context, guild)
    assert (request.prompt, request.seed, request.width, request.height) == ("fox", 9, 136, 144)


async def test_admins_forms_are_for_admins(context: AppContext, guild: Guild) -> None:
    with pytest.raises(NotAllowed):
        await advanced_form(SETTINGS, {}, caller(guild), context)


async def test_a_group_form_calls_the_action_that_was_chosen(context: AppContext, guild: Guild) -> None:
    """The answer to its first question is the second word of the command."""
    context = with_brushes(context)
    form = await edit_form(LOAD, {}, caller(guild), context)

    listed = await submit_form(form.call_id, {KIND: "list"}, caller(guild), context)

    assert listed.headline == "No brushes yet"
    with pytest.raises(InvalidRequest, match="no action 'burn'"):
        await submit_form(form.call_id, {KIND: "burn"}, caller(guild), context)


async def test_a_file_that_nobody_opens_is_missing(context: AppContext, guild: Guild) -> None:
    """In the sentence of any option that is required, not by an error."""
    context = replace(with_brushes(context), max_upload_bytes=100)
    form = await edit_form(LOAD, {}, caller(guild), context, file=CHOSEN)

    assert "file" not in {field.option.name for field in form.fields}
    with pytest.raises(InvalidRequest, match="needs a file"):
        await submit_form(form.call_id, {"name": "soft"}, caller(guild), context)
