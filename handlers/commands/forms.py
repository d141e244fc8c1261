"""Forms that ask for more values of a command, and what comes of what was entered."""

from collections.abc import Callable, Container, Mapping
from typing import Final

from handlers.commands.arguments import Value
from handlers.commands.attachments import OfferedFile
from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.dispatch import answer, check_audience
from handlers.commands.form import Field, Form
from handlers.commands.option import Option, OptionKind
from handlers.commands.options import Options, value_text
from handlers.commands.permissions import NotAllowed
from handlers.commands.typed import MAX_VALUE, check_typed
from handlers.messages.message import Button, Message, Verb
from pipeline.errors import UserError
from storage.queue.pending_calls import ChosenFile, SavedCall

KIND: Final = "kind"
"""The question of a form that stands for a whole group: which of its actions is called."""

OpenFile = Callable[[ChosenFile], OfferedFile]
"""How a platform finds a file again that it keeps."""


async def advanced_form(command: Command, raw: Mapping[str, Value], caller: Caller, context: AppContext) -> Form:
    """A form for the options that stand behind 'Advanced'; what was given already is kept for the submission."""
    check_audience(command, caller.member)
    advanced = tuple(option for option in command.options if option.advanced)
    return await _form(command, advanced, raw, caller, context)


async def edit_form(
    command: Command, raw: Mapping[str, Value], caller: Caller, context: AppContext,
    *, file: ChosenFile | None = None, kept: Container[str] = (),
) -> Form:  # fmt: skip
    """A form for the options of `command`, filled with `raw`, but for files and those that are `kept` as they are.

    `file` is fetched when the form is sent.
    """
    asked = tuple(
        option for option in command.options if option.kind is not OptionKind.FILE and option.name not in kept
    )
    return await _form(command, asked, raw, caller, context, file=file)


async def submit_form(
    call_id: int, entries: Mapping[str, Value], caller: Caller, context: AppContext, open_file: OpenFile | None = None
) -> Message:
    """Call the form's command with what was kept and what was entered; an empty entry leaves an option out.

    A platform that opens no files is asked for one in a sentence, as for any option that is missing.
    """
    saved = await saved_call(call_id, caller, context)
    raw: dict[str, Value] = {**dict(saved.values), **entries}
    if saved.file is not None and open_file is not None:
        raw[saved.file.option] = open_file(saved.file)
    given = {name: value for name, value in raw.items() if not isinstance(value, str) or value.strip()}
    kind = given.pop(KIND, None)
    name = saved.command if kind is None else f"{saved.command.partition(' ')[0]} {kind}"
    return await answer(context.command(name), given, caller, context)


async def call_button(caller: Caller, context: AppContext, command: str, options: Options, label: str) -> Button:
    """A button that makes the call of `command` with `options`."""
    target = await context.calls.save(caller.guild.id, caller.member.id, command, options.texts())
    return Button(verb=Verb.CALL, target=target, label=label)


async def saved_call(call_id: int, caller: Caller, context: AppContext) -> SavedCall:
    """The caller's own saved call; raises UserError."""
    saved = await context.calls.get(caller.guild.id, call_id)
    if saved is None:
        raise UserError("This offer is too old; type the command again.")
    if saved.member_id != caller.member.id:
        raise NotAllowed("This was offered to somebody else; type the command yourself.")
    return saved


async def _form(
    command: Command, options: tuple[Option, ...], raw: Mapping[str, Value], caller: Caller, context: AppContext,
    *, file: ChosenFile | None = None,
) -> Form:  # fmt: skip
    """A form for `options`; the values of the others are saved for the submission. Raises InvalidRequest."""
    texts = {name: value_text(value) for name, value in raw.items()}
    for name, text in texts.items():
        check_typed(text, name, MAX_VALUE)
    asked = {option.name for option in options}
    kept = {name: text for name, text in texts.items() if name not in asked}
    call_id = await context.calls.save(caller.guild.id, caller.member.id, command.name, kept, file)
    fields = tuple(Field(option=option, value=texts.get(option.name, "")) for option in options)
    return Form(title=f"/{command.name}", command=command, call_id=call_id, fields=fields)
