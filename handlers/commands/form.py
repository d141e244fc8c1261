"""A form that asks for values of a command; each platform draws it from the options' own descriptions."""

from dataclasses import dataclass

from handlers.commands.command import Command
from handlers.commands.option import Option


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One question of a form: the option that it fills, and the text that stands in it already."""

    option: Option
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form for `command`; `call_id` is the saved call that its entries complete, however much later."""

    title: str
    command: Command
    call_id: int
    fields: tuple[Field, ...]
