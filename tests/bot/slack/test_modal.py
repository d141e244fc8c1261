"""Forms as Slack's modals: each option has its field, and what comes back is read by option."""

from dataclasses import replace
from typing import Any

import pytest

from bot.slack.modal import SlackModalState, entries, errors, fields_of, handed_over, modal, option_of
from handlers.commands.context import AppContext
from pipeline.errors import UserError

STATE = SlackModalState(command="imagine", call_id=7, channel_id="C1", thread_id=None)


def test_a_form_knows_what_it_completes_when_it_comes_back() -> None:
    """Also when another version of Limner opened it and says more, or less."""
    for state in (STATE, replace(STATE, tenant="T1@E1")):
        assert SlackModalState.parse(state.text) == state
    assert SlackModalState.parse('["imagine", 7, "C1", null]') == STATE
    assert SlackModalState.parse('["imagine", 7, "C1", null, "new"]') == STATE


def test_every_option_has_a_field_with_its_value_and_limits(context: AppContext) -> None:
    """The advanced ones below a heading, each once."""
    imagine = context.command("imagine")

    view = modal("Imagine", imagine, fields_of(imagine, {"prompt": "fox", "steps": "9"}), STATE)

    inputs = {block["block_id"]: block for block in view["blocks"] if block["type"] == "input"}
    kinds = [block["type"] for block in view["blocks"]]
    assert set(inputs) == {option.name for option in imagine.options}
    assert inputs["prompt"]["element"]["initial_value"] == "fox"
    assert not inputs["prompt"]["optional"]
    assert inputs["steps"]["element"]["initial_value"] == "9"
    heading = kinds.index("header")
    assert {block["block_id"] for block in view["blocks"][heading + 1 :]} == {
        option.name for option in imagine.options if option.advanced
    }


@pytest.mark.parametrize(
    ("state", "entered"),
    [
        ({"value": "fox"}, "fox"),
        ({"value": None}, ""),
        ({"selected_option": {"value": "1:1"}}, "1:1"),
        ({"selected_conversation": "C1"}, "C1"),
        ({"selected_user": "U1"}, "U1"),
    ],
)
def test_entries_are_read_from_every_kind_of_field(state: dict[str, Any], entered: str) -> None:
    """An empty field is an empty text."""
    assert entries({"state": {"values": {"option": {"action": state}}}}) == {"option": entered}


@pytest.mark.parametrize(("names", "kind"), [(1, "external_select"), (8, "plain_text_input")])
def test_a_value_that_no_select_can_hold_is_a_text(context: AppContext, names: int, kind: str) -> None:
    """Eight LoRAs are more than an entry of a select may have; none of them is cut off."""
    imagine = context.command("imagine")
    value = ", ".join(f"a-lora-with-a-long-name-{number}:0.8" for number in range(names))

    view = modal("Imagine", imagine, fields_of(imagine, {"lora": value}), STATE)

    (element,) = (block["element"] for block in view["blocks"] if block.get("block_id") == "lora")
    kept = element["initial_option"]["value"] if kind == "external_select" else element["initial_value"]
    assert (element["type"], kept) == (kind, value)


def test_what_no_form_can_hold_is_refused_in_a_sentence(context: AppContext) -> None:
    """Rather than cut."""
    imagine = context.command("imagine")
    with pytest.raises(UserError, match="more than a form can hold"):
        modal("Imagine", imagine, fields_of(imagine, {"prompt": "x" * 3001}), STATE)


def test_files_are_read_by_option() -> None:
    """A field without a file is none."""
    values = {"image": {"action": {"files": [{"id": "F1"}]}}, "mask": {"action": {"files": []}}}

    assert handed_over({"state": {"values": values}}) == {"image": {"id": "F1"}}


def test_an_error_stands_beside_its_field_or_the_first() -> None:
    """Slack drops an error of a field that the form does not have."""
    view = {"blocks": [{"type": "header"}, {"type": "input", "block_id": "prompt"}, {"type": "input", "block_id": "n"}]}

    assert errors(view, "n", "Too many.") == {"n": "Too many."}
    assert errors(view, "max pixels", "Too large.") == {"prompt": "Too large."}


@pytest.mark.parametrize(
    ("action_id", "asked"),
    [("option:imagine:lora", ("imagine", "lora")), ("option:imagine", None), ("v1:again:7:0", None)],
)
def test_a_field_names_its_command_and_option(action_id: str, asked: tuple[str, str] | None) -> None:
    """Other elements' ids name none."""
    assert option_of(action_id) == asked
