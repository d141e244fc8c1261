"""Forms as Discord's modals: a question for each option, and one line of flags for those that do not fit."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import discord
from discord import ui

from handlers.commands.command import Command
from handlers.commands.form import Field, Form
from handlers.commands.option import Option, OptionKind
from handlers.commands.parsing import parse_text, write_flags
from pipeline.errors import UserError

_MAX_QUESTIONS: Final = 5
_FOLDED: Final = "more"
_ID: Final = re.compile(r"v1:form:([a-z -]{1,65}):(\d{1,19}):([01])", re.ASCII)
_MAX_TEXT: Final = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordModalState:
    """What the id of a modal says: the command, the saved call that it completes, whether the answer is private."""

    command: str
    call_id: int
    private: bool

    def __str__(self) -> str:
        return f"v1:form:{self.command}:{self.call_id}:{int(self.private)}"

    @classmethod
    def read(cls, text: str) -> "DiscordModalState | None":
        """The id in `text`, or None if it is not one of ours."""
        match = _ID.fullmatch(text)
        return cls(command=match[1], call_id=int(match[2]), private=match[3] == "1") if match else None


def build_modal(form: Form, *, private: bool) -> ui.Modal:
    """The modal of `form`; it survives a restart, since its id says what it completes.

    Raises UserError where a text is longer than a question can hold: none is ever cut.
    """
    modal_id = DiscordModalState(command=form.command.name, call_id=form.call_id, private=private)
    modal = ui.Modal(title=form.title[:45], timeout=None, custom_id=str(modal_id))
    asked, folded = _split(form.fields)
    for field in asked:
        modal.add_item(_question(field))
    if folded:
        modal.add_item(_folded_question(form.command, folded))
    modal.stop()  # found by its id, so that nothing of it stays in memory
    return modal


def read_entries(command: Command, data: Mapping[str, Any]) -> dict[str, str]:
    """The entries of a submission's payload by option name; raises UserError on a wrong flag."""
    entries = dict(_values(data.get("components", ())))
    folded = parse_text(command, entries.pop(_FOLDED, ""))
    return {**entries, **folded}


def _values(components: Any) -> Iterator[tuple[str, str]]:
    """The name and the text of every input at any depth: a label holds one, an old row several."""
    for component in components:
        inner = component.get("component")
        yield from _values([inner] if inner is not None else component.get("components", ()))
        if "custom_id" in component and ("value" in component or "values" in component):
            chosen = component.get("values", ())
            yield component["custom_id"], str(component.get("value") or next(iter(chosen), ""))


def _split(fields: tuple[Field, ...]) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
    if len(fields) <= _MAX_QUESTIONS:
        return fields, ()
    return fields[: _MAX_QUESTIONS - 1], fields[_MAX_QUESTIONS - 1 :]


def _question(field: Field) -> ui.Label[Any]:
    option = field.option
    component: ui.Item[Any]
    if option.kind is OptionKind.CHOICE:
        component = ui.Select(
            custom_id=option.name,
            required=option.required,
            min_values=1 if option.required else 0,
            options=[discord.SelectOption(label=choice, default=choice == field.value) for choice in option.choices],
        )
    else:
        long = option.kind is OptionKind.TEXT and (option.rest or len(field.value) > 80)
        component = ui.TextInput(
            custom_id=option.name,
            style=discord.TextStyle.paragraph if long else discord.TextStyle.short,
            default=_fitting(field.value),
            placeholder=_placeholder(option),
            required=option.required,
            max_length=_MAX_TEXT,
        )
    return ui.Label(text=_title(option.name), description=option.help[:100], component=component)


def _folded_question(command: Command, fields: tuple[Field, ...]) -> ui.Label[Any]:
    names = ", ".join(f"--{field.option.name}" for field in fields)
    text = " ".join(write_flags(command, {field.option.name: field.value for field in fields}))
    component = ui.TextInput[Any](
        custom_id=_FOLDED, style=discord.TextStyle.paragraph, default=_fitting(text), required=False,
        placeholder=names[:100], max_length=_MAX_TEXT,
    )  # fmt: skip
    return ui.Label(text="More options", description="Each as a flag and its value", component=component)


def _fitting(text: str) -> str | None:
    """The text that stands in a question, None for none."""
    if len(text) > _MAX_TEXT:
        raise UserError(f"That is more than a form can hold ({_MAX_TEXT} characters); type the command instead.")
    return text or None


def _title(name: str) -> str:
    return name.replace("-", " ").capitalize()[:45]


def _placeholder(option: Option) -> str | None:
    match option.kind:
        case OptionKind.INTEGER | OptionKind.NUMBER:
            return option.range_text
        case OptionKind.SWITCH:
            return "on or off"
        case _:
            return None
