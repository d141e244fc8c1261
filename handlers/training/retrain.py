"""/subject retrain: a subject learnt again from other images, in the place of what it was."""

from dataclasses import dataclass, replace
from typing import Annotated, Final

from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Details
from handlers.commands.options import Options
from handlers.commands.permissions import NotAllowed, check_permission
from handlers.messages.message import Message
from handlers.prompts.loras import named_lora
from handlers.prompts.subjects import SubjectName, check_subject
from handlers.training.train import (
    NOTES,
    SUBJECT,
    Agreed,
    ModelName,
    TrainingFiles,
    check_training_room,
    queue_check,
    training_order,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainOptions(Options):
    """The options of /subject retrain."""

    name: SubjectName
    files: TrainingFiles
    class_: Annotated[str | None, Details("What it is, such as dog")] = None
    agreed: Agreed = None
    model: ModelName = None


async def retrain_subject(caller: Caller, options: RetrainOptions, context: AppContext) -> Message:
    """Queue a look at the images that its owner gives; the subject stays what it is until the training has ended."""
    check_permission(caller, SUBJECT.name)
    lora = check_subject(await named_lora(options.name, caller, context))
    if lora.owner_id != caller.member.id:
        raise NotAllowed(f"'{lora.name}' is another member's; only they can teach it anew.")
    known = lora.trigger_words.partition(" ")[2]
    order = training_order(
        caller, context, name=lora.name, files=options.files, model=options.model,
        class_=known if options.class_ is None else options.class_, agreed=options.agreed,
    )  # fmt: skip
    order = replace(order, retrain=True, private=lora.private)
    await check_training_room(order, caller, context)
    return await queue_check(order, caller, context)


COMMAND: Final = Command(
    name="subject retrain",
    help="Teach a subject anew from other pictures",
    example="/subject retrain rex --images rex.zip --mine",
    takes=RetrainOptions,
    handler=retrain_subject,
    notes=NOTES,
)
