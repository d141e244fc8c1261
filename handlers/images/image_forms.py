"""Forms for an image that stands in a message: to begin with it, or to keep something of it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.commands.form import Field, Form
from handlers.commands.forms import KIND, edit_form
from handlers.commands.option import Option, OptionKind
from handlers.images.control import command_name
from handlers.images.edit import COMMAND as EDIT
from pipeline.requests.control import ControlKind
from storage.queue.pending_calls import ChosenFile

CHOSEN: Final = "image"
"""The option that the image is chosen for."""

ImageForm = Callable[[ChosenFile, Caller, AppContext], Awaitable[Form]]

_KIND: Final = Option(
    name=KIND,
    help="What is kept of the picture",
    kind=OptionKind.CHOICE,
    required=True,
    choices=tuple(kind.value for kind in ControlKind),
)


async def start_form(image: ChosenFile, caller: Caller, context: AppContext) -> Form:
    """The form of /edit, which asks for no image any more."""
    form = await edit_form(context.command(EDIT.name), {}, caller, context, file=image)
    return replace(form, title="Start with this picture")


async def control_form(image: ChosenFile, caller: Caller, context: AppContext) -> Form:
    """One form for every kind of /control, whose options are the same; it asks for the kind, and for no image."""
    usual = ControlKind.EDGE
    form = await edit_form(context.command(command_name(usual)), {}, caller, context, file=image)
    return replace(form, title="Keep of this picture", fields=(Field(option=_KIND, value=usual.value), *form.fields))
