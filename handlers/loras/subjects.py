"""/subject: what was taught here by /train subject, to list, share and delete."""

from dataclasses import dataclass
from typing import Final

from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.forms import call_button
from handlers.commands.options import Options
from handlers.loras.library import Confirm, ListOptions, Whose, card, list_loras, own_lora, share
from handlers.messages.message import Message
from handlers.prompts.loras import named_lora
from handlers.prompts.subjects import SubjectName, check_subject
from storage.library.loras import training_key


@dataclass(frozen=True, slots=True, kw_only=True)
class _SubjectInfoOptions(Options):
    name: SubjectName


@dataclass(frozen=True, slots=True, kw_only=True)
class _SubjectShareOptions(Options):
    name: SubjectName
    whose: Whose


@dataclass(frozen=True, slots=True, kw_only=True)
class _DeleteOptions(Options):
    name: SubjectName
    confirm: Confirm = None


async def list_subjects(caller: Caller, options: ListOptions, context: AppContext) -> Message:
    """The subjects that the caller can use, a page at a time."""
    return await list_loras(caller, options, context, subjects=True)


async def subject_info(caller: Caller, options: _SubjectInfoOptions, context: AppContext) -> Message:
    """The card of one subject."""
    return card(check_subject(await named_lora(options.name, caller, context)), private=True)


async def share_subject(caller: Caller, options: _SubjectShareOptions, context: AppContext) -> Message:
    """Give a subject to the whole guild, or keep it for its owner."""
    check_subject(await named_lora(options.name, caller, context))
    lora = await own_lora(options.name, caller, context)
    return await share(lora, context, private=options.whose == "private")


async def delete_subject(caller: Caller, options: _DeleteOptions, context: AppContext) -> Message:
    """Delete a subject, once confirmed, with the sheets of its images and samples."""
    lora = check_subject(await own_lora(options.name, caller, context))
    if not options.confirm:
        button = await call_button(
            caller, context, "subject delete", _DeleteOptions(name=lora.name, confirm=True), "Delete it"
        )
        return Message(
            headline=f"Delete @{lora.name} and its sheets for good?",
            lines=("Messages already in a channel stay until you delete them.",),
            buttons=((button,),),
            private=True,
        )
    await context.loras.remove(lora)
    await context.handed.delete_jobs(caller.guild.id, training_key(lora.key))
    return Message(headline=f"@{lora.name} and its sheets are deleted.", private=True)


COMMANDS: Final = (
    Command(
        name="subject list",
        help="The subjects that you can use",
        example="/subject list rex",
        takes=ListOptions,
        handler=list_subjects,
        private=True,
    ),
    Command(
        name="subject info",
        help="All that is known of a subject",
        example="/subject info rex",
        takes=_SubjectInfoOptions,
        handler=subject_info,
        private=True,
    ),
    Command(
        name="subject share",
        help="Give a subject to everyone here, or keep it",
        example="/subject share rex --whose guild",
        takes=_SubjectShareOptions,
        handler=share_subject,
        private=True,
    ),
    Command(
        name="subject delete",
        help="Delete a subject and its sheets",
        example="/subject delete rex",
        takes=_DeleteOptions,
        handler=delete_subject,
        private=True,
    ),
)
