"""Commands typed in Slack as text, with Slack's markup in them."""

import pytest

from bot.slack.text_commands import TextCommand, below_umbrella, by_mention, plain_words, readable_values
from handlers.commands.context import AppContext
from pipeline.errors import InvalidRequest
from tests.brushes import LOAD, with_brushes


@pytest.mark.parametrize(
    ("text", "name", "rest"),
    [("", "help", ""), ("imagine red fox", "imagine", "red fox"), ("brush load soft", "brush load", "soft")],
)
def test_below_the_umbrella_the_first_words_are_the_command(
    context: AppContext, text: str, name: str, rest: str
) -> None:
    """The longest known name counts; nothing asks for help."""
    read = below_umbrella(text, with_brushes(context))

    assert (read.command.name, read.text) == (name, rest)


@pytest.mark.parametrize(
    ("text", "name", "rest"),
    [
        ("<@U0BOT> red fox", "imagine", "red fox"),
        ("<@U0BOT|limner> queue", "queue", ""),
        ("<@U0BOT> ", "help", ""),
    ],
)
def test_a_mention_is_a_command_or_else_a_prompt(context: AppContext, text: str, name: str, rest: str) -> None:
    """Words that name no command are a prompt."""
    read = by_mention(text, context)

    assert (read.command.name, read.text) == (name, rest)


def test_an_unknown_command_in_a_mention_is_refused(context: AppContext) -> None:
    """It was not meant as a prompt."""
    with pytest.raises(InvalidRequest):
        by_mention("<@U0BOT> /imagin fox", context)


def test_markup_becomes_what_was_typed(context: AppContext) -> None:
    """Links, mentions and the three escaped characters; a command that takes channels gets their ids."""
    typed = "a &lt;b&gt; &amp;amp; <https://example.org|example.org> in <#C1|general> by <@U1|ada>"
    imagine, settings = context.command("imagine"), context.command("settings")

    assert plain_words(TextCommand(command=imagine, text=typed)).text == (
        "a <b> &amp; https://example.org in #general by @ada"
    )
    assert "<#C1|general>" in plain_words(TextCommand(command=settings, text=typed)).text


def test_a_form_is_filled_with_what_can_be_read(context: AppContext) -> None:
    """An unknown flag costs none of the rest, and a value that its field cannot hold is left out."""
    imagine = context.command("imagine")

    read = readable_values(TextCommand(command=imagine, text="red fox --colour blue --steps 9 --aspect 7:1"))

    assert (read["prompt"], read["steps"]) == ("red fox", "9")
    assert "aspect" not in read


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("edit", "a hat --control magic --steps 9", {"prompt": "a hat", "steps": "9"}),
        ("train again", "12 --class dog --agreed perhaps", {"base": "12", "class": "dog"}),
        ("train again", "twelve --class dog", {"class": "dog"}),
        ("upscale", "--factor 99", {}),
        (
            "imagine",
            "fox --steps ٣ --guidance 0x1 --scheduler EULER --private yes",
            {
                "prompt": "fox",
                "steps": "3",
                "scheduler": "euler",
                "private": "on",
            },
        ),
    ],
)
def test_a_wrong_value_is_left_out_whatever_else_the_command_needs(
    context: AppContext, name: str, text: str, shown: dict[str, str]
) -> None:
    """A select refuses a form with a choice that it does not have, and then no form opens at all."""
    assert readable_values(TextCommand(command=context.command(name), text=text)) == shown


@pytest.mark.parametrize("text", ["", "soft"])
def test_a_command_that_needs_a_file_asks_by_form(text: str) -> None:
    """A file cannot be typed."""
    assert TextCommand(command=LOAD, text=text).wants_form


def test_a_command_without_its_text_asks_by_form(context: AppContext) -> None:
    """One that needs none runs at once."""
    assert TextCommand(command=context.command("imagine"), text=" ").wants_form
    assert not TextCommand(command=context.command("imagine"), text="fox").wants_form
    assert not TextCommand(command=context.command("queue"), text="").wants_form
