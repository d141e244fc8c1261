"""Forms on Discord: filled with what is known, read after a restart, refused in a sentence."""

import pytest

from bot.discord.modal import build_modal, read_entries
from handlers.commands.context import AppContext
from handlers.commands.form import Field, Form
from handlers.jobs.payloads import REQUEST
from pipeline.errors import UserError
from tests.bot.discord.conftest import World, finished, words


async def test_edit_opens_a_form_that_is_filled(world: World) -> None:
    """The form holds the image's own values; what is changed in it is what is made."""
    message = await finished(world, seed=7, negative="text")

    shown = await world.ada.click(message, label="Edit")
    await world.ada.submit_modal(shown, {"prompt": "grey owl", "negative": "text", "more": "--seed 7 --steps 9"})

    request = REQUEST.read((await world.claim()).job.payload)
    assert (request.prompt, request.seed, request.steps, request.negative_prompt) == ("grey owl", 7, 9, "text")


async def test_a_form_survives_a_restart(world: World) -> None:
    """What was given before the form opened lies in the database under the id that the form carries."""
    shown = await world.ada.slash(world.channel, "imagine", prompt="red fox", seed=7, advanced=True)
    assert shown.modal is not None

    await world.restart()
    await world.ada.submit_modal(shown, {"more": "", "width": "64"})

    request = REQUEST.read((await world.claim()).job.payload)
    assert (request.prompt, request.seed, request.width) == ("red fox", 7, 64)


async def test_a_wrong_value_in_a_form_is_refused_in_a_sentence(world: World) -> None:
    """A modal's texts are free, so each is checked like any other value."""
    shown = await world.ada.slash(world.channel, "imagine", prompt="red fox", advanced=True)

    result = await world.ada.submit_modal(shown, {"width": "wide"})

    said = [message for message in (result.response, *result.followups) if message is not None]
    assert "width 'wide' is not a whole number" in words(said[-1])
    assert await world.context.queue.claim("a worker") is None


def _form(context: AppContext, name: str, **values: str) -> Form:
    command = context.command(name)
    fields = tuple(Field(option=option, value=values.get(option.name, "")) for option in command.options)
    return Form(title=name, command=command, call_id=7, fields=fields)


async def test_no_text_in_a_form_is_cut(context: AppContext) -> None:
    """The longest words that an image can have, and every option behind them, come back as they were."""
    values = {"prompt": "p" * 2000, "negative": "n" * 2000, "seed": "4294967295", "steps": "150", "guidance": "30"}
    modal = build_modal(_form(context, "control edge", **values), private=False)

    components = modal.to_dict()["components"]
    sent = [{**label["component"], "value": label["component"].get("value", "")} for label in components]
    entries = read_entries(context.command("control edge"), {"components": [{"component": each} for each in sent]})

    assert {name: text for name, text in entries.items() if text} == values


@pytest.mark.parametrize("option", ["prompt", "negative"])
async def test_what_no_form_can_hold_is_refused_in_a_sentence(context: AppContext, option: str) -> None:
    """Whether it has a question of its own or stands among the flags."""
    with pytest.raises(UserError, match="more than a form can hold"):
        build_modal(_form(context, "control edge", **{option: "x" * 4001}), private=False)
