"""Forms as Slack's modals, and the entries that come back from them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, assert_never

from bot.slack.rendering import Block, plain, section
from handlers.commands.command import Command
from handlers.commands.form import Field, Form
from handlers.commands.option import Option, OptionKind
from pipeline.errors import UserError

CALLBACK: Final = "form"
OPTION_ACTION: Final = "option"
_ANOTHER_VERSION: Final = "This form is from another version of Limner; type the command instead."

_TITLE: Final = 24
_LABEL: Final = 150
_HINT: Final = 150
_CHOICES: Final = 100
_CHOICE_TEXT: Final = 75
_CHOICE_VALUE: Final = 150
_INPUT_TEXT: Final = 3000
_CHANNEL: Final = re.compile(r"[CDG][A-Z0-9]+")
_MEMBER: Final = re.compile(r"[UW][A-Z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackModalState:
    """What a form must know when it comes back: its command, the saved call that it completes, where answers go.

    `tenant` is the one that it was opened for: in a shared channel the member may be of another.
    """

    command: str
    call_id: int | None
    channel_id: str | None
    thread_id: str | None
    tenant: str = ""

    @property
    def text(self) -> str:
        """The form that a view carries."""
        return json.dumps([self.command, self.call_id, self.channel_id, self.thread_id, {"tenant": self.tenant}])

    @classmethod
    def parse(cls, text: str) -> "SlackModalState":
        """The state in a view's metadata; raises UserError where it is none."""
        try:
            # A form that another version opened may have more fields, or fewer.
            command, call_id, channel_id, thread_id, *more = json.loads(text)
            call_id = None if call_id is None else int(call_id)
        except (TypeError, ValueError, OverflowError, RecursionError):
            raise UserError(_ANOTHER_VERSION) from None
        if not isinstance(command, str) or not all(isinstance(text, str | None) for text in (channel_id, thread_id)):
            raise UserError(_ANOTHER_VERSION)
        tenant = more[0].get("tenant", "") if more and isinstance(more[0], dict) else ""
        return cls(command=command, call_id=call_id, channel_id=channel_id, thread_id=thread_id, tenant=str(tenant))


def fields_of(command: Command, values: Mapping[str, str]) -> tuple[Field, ...]:
    """Every option of a command as a question, filled with the values given so far."""
    return tuple(Field(option=option, value=values.get(option.name, "")) for option in command.options)


def form_view(form: Form, place: SlackModalState) -> Block:
    """The modal that continues a saved call."""
    return modal(form.title, form.command, form.fields, place)


def note(title: str, words: str) -> Block:
    """A modal that only says something."""
    return {"type": "modal", "title": plain(title, _TITLE), "close": plain("Close", _TITLE), "blocks": [section(words)]}


def modal(title: str, command: Command, fields: tuple[Field, ...], place: SlackModalState) -> Block:
    """The whole form of a command, its advanced options below a heading."""
    simple = [_input(command, field) for field in fields if not field.option.advanced]
    advanced = [_input(command, field) for field in fields if field.option.advanced]
    heading: list[Block] = [{"type": "divider"}, {"type": "header", "text": plain("Advanced", 150)}]
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "private_metadata": place.text,
        "title": plain(title, _TITLE),
        "submit": plain("Go", _TITLE),
        "close": plain("Cancel", _TITLE),
        "blocks": [*simple, *(heading if simple and advanced else []), *advanced],
    }


def entries(view: Mapping[str, Any]) -> dict[str, str]:
    """What was entered, by option; an empty field is an empty text."""
    values: Mapping[str, Mapping[str, Any]] = view["state"]["values"]
    return {block_id: _entered(next(iter(elements.values()))) for block_id, elements in values.items()}


def handed_over(view: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The descriptions of the files that came with a form, by option."""
    values: Mapping[str, Mapping[str, Any]] = view["state"]["values"]
    states = {block_id: next(iter(elements.values())) for block_id, elements in values.items()}
    return {block_id: state["files"][0] for block_id, state in states.items() if state.get("files")}


def errors(view: Mapping[str, Any], field: str, sentence: str) -> dict[str, str]:
    """The sentence beside the field it is about, or beside the first field."""
    blocks = [block["block_id"] for block in view["blocks"] if block["type"] == "input"]
    return {field if field in blocks else blocks[0]: sentence}


def option_of(action_id: str) -> tuple[str, str] | None:
    """The command and the option that one of our fields asks for."""
    kind, _, rest = action_id.partition(":")
    command, _, option = rest.partition(":")
    return (command, option) if kind == OPTION_ACTION and option else None


def choice(text: str, value: str) -> Block:
    """One entry of a select, of a value that it `holds`."""
    return {"text": plain(text, _CHOICE_TEXT), "value": value}


def holds(value: str) -> bool:
    """Whether an entry of a select can hold the value."""
    return len(value) <= _CHOICE_VALUE


def _input(command: Command, field: Field) -> Block:
    option = field.option
    return {
        "type": "input",
        "block_id": option.name,
        "optional": not option.required,
        "label": plain(option.name.replace("-", " ").capitalize(), _LABEL),
        "hint": plain(_hint(option), _HINT),
        "element": {"action_id": f"{OPTION_ACTION}:{command.name}:{option.name}", **_element(option, field.value)},
    }


def _hint(option: Option) -> str:
    match option.kind:
        case OptionKind.INTEGER | OptionKind.NUMBER:
            return f"{option.help}: {option.range_text}"
        case _:
            return option.help


def _element(option: Option, value: str) -> Block:
    # A value that no select can hold is typed as a text instead: none is ever cut.
    if option.completion is not None and holds(value):
        suggested = {"initial_option": choice(value, value)} if value else {}
        return {"type": "external_select", "min_query_length": 0, **suggested}
    match option.kind:
        case OptionKind.TEXT | OptionKind.ROLE:
            if len(value) > _INPUT_TEXT:
                most = f"({_INPUT_TEXT} characters)"
                raise UserError(f"That is more than a form can hold {most}; type the command instead.")
            filled = {"initial_value": value} if value else {}
            return {"type": "plain_text_input", "multiline": option.rest, "max_length": _INPUT_TEXT, **filled}
        case OptionKind.INTEGER | OptionKind.NUMBER:
            return _number(option, value)
        case OptionKind.CHOICE:
            return _select(option.choices, value)
        case OptionKind.SWITCH:
            return _select(("on", "off"), value)
        case OptionKind.CHANNEL | OptionKind.MEMBER:
            kind, ids = ("conversation", _CHANNEL) if option.kind is OptionKind.CHANNEL else ("user", _MEMBER)
            chosen = _id(value)
            return {"type": f"{kind}s_select", **({f"initial_{kind}": chosen} if ids.fullmatch(chosen) else {})}
        case OptionKind.FILE:
            return {"type": "file_input", "max_files": 1}
        case _:
            assert_never(option.kind)


def _id(text: str) -> str:
    """The id in "<#C1|general>" or "<@U1|ada>"."""
    return re.sub(r"^<[#@]([A-Z0-9]+)(?:\|[^>]*)?>$", r"\1", text.strip())


def _number(option: Option, value: str) -> Block:
    element: Block = {"type": "number_input", "is_decimal_allowed": option.kind is OptionKind.NUMBER}
    if option.low is not None:
        element["min_value"] = f"{option.low:.10g}"
    if option.high is not None:
        element["max_value"] = f"{option.high:.10g}"
    if value:
        element["initial_value"] = value
    return element


def _select(choices: tuple[str, ...], value: str) -> Block:
    options = [choice(text, text) for text in choices[:_CHOICES]]
    picked = {"initial_option": choice(value, value)} if value in choices else {}
    return {"type": "static_select", "options": options, **picked}


def _entered(state: Mapping[str, Any]) -> str:
    selected = state.get("selected_option")
    if selected:
        return str(selected["value"])
    return str(state.get("value") or state.get("selected_conversation") or state.get("selected_user") or "")
