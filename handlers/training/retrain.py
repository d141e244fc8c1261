"""/subject retrain: a subject learnt again from other images, in the place of what it was."""

from dataclasses import replace
from typing import Final

from handlers.commands.arguments import Arguments
from handlers.commands.call import Call
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.permissions import NotAllowed, check_permission
from handlers.messages.message import Message
from handlers.prompts.loras import named_lora
from handlers.prompts.subjects import NAME, check_subject
from handlers.training.request import ConceptKind
from handlers.training.train import (
    AGREED,
    CLASS,
    IMAGES,
    MINE,
    MODEL,
    NOTES,
    SUBJECT,
    check_training_room,
    queue_check,
    training_order,
)


async def retrain_subject(call: Call, context: AppContext) -> Message:
    """Queue a look at the images that its owner gives; the subject stays what it is until the training has ended."""
    check_permission(call, SUBJECT.name)
    lora = check_subject(await named_lora(call, context))
    if lora.owner_id != call.member.id:
        raise NotAllowed(f"'{lora.name}' is another member's; only they can teach it anew.")
    known = lora.trigger_words.partition(" ")[2]
    given = {"class": known, **dict(call.arguments.values), "name": lora.name}
    order = training_order(replace(call, arguments=Arguments.check(SUBJECT, given)), context, ConceptKind.SUBJECT)
    order = replace(order, retrain=True, private=lora.private)
    await check_training_room(order, call, context)
    return await queue_check(order, call, context)


COMMAND: Final = Command(
    name="subject retrain",
    help="Teach a subject anew from other pictures",
    example="/subject retrain rex --images rex.zip --mine",
    handler=retrain_subject,
    options=(NAME, *IMAGES, MINE, replace(CLASS, required=False), AGREED, MODEL),
    notes=NOTES,
)
