"""/subject: what was taught here by /train subject, to list, share and delete."""

from functools import partial
from typing import Final

from handlers.commands.call import Call
from handlers.commands.command import Command, Handler
from handlers.commands.context import AppContext
from handlers.commands.option import Option, OptionKind
from handlers.loras.library import SEARCH, WHOSE, list_loras, lora_info, own_lora, saved_button, share_lora
from handlers.messages.message import Message
from handlers.prompts.loras import named_lora
from handlers.prompts.subjects import NAME, check_subject
from storage.library.loras import training_key


async def of_subject(call: Call, context: AppContext, *, action: Handler) -> Message:
    """Do to a subject what `action` does to any LoRA; raises InvalidRequest for one that is none."""
    check_subject(await named_lora(call, context))
    return await action(call, context)


async def delete_subject(call: Call, context: AppContext) -> Message:
    """Delete a subject, once confirmed, with the sheets of its images and samples."""
    lora = check_subject(await own_lora(call, context))
    if not call.arguments.switch("confirm"):
        button = await saved_button(call, context, "subject delete", {"name": lora.name, "confirm": "on"}, "Delete it")
        return Message(
            headline=f"Delete @{lora.name} and its sheets for good?",
            lines=("Messages already in a channel stay until you delete them.",),
            buttons=((button,),),
            private=True,
        )
    await context.loras.remove(lora)
    await context.handed.delete_jobs(call.guild.id, training_key(lora.key))
    return Message(headline=f"@{lora.name} and its sheets are deleted.", private=True)


COMMANDS: Final = (
    Command(
        name="subject list",
        help="The subjects that you can use",
        example="/subject list rex",
        handler=partial(list_loras, subjects=True),
        private=True,
        options=SEARCH,
    ),
    Command(
        name="subject info",
        help="All that is known of a subject",
        example="/subject info rex",
        handler=partial(of_subject, action=lora_info),
        private=True,
        options=(NAME,),
    ),
    Command(
        name="subject share",
        help="Give a subject to everyone here, or keep it",
        example="/subject share rex --whose guild",
        handler=partial(of_subject, action=share_lora),
        private=True,
        options=(NAME, WHOSE),
    ),
    Command(
        name="subject delete",
        help="Delete a subject and its sheets",
        example="/subject delete rex",
        handler=delete_subject,
        private=True,
        options=(NAME, Option(name="confirm", help="Remove it without asking again", kind=OptionKind.SWITCH)),
    ),
)
