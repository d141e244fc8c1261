"""/lora fuse: a set of the guild's LoRAs, each at its scale, kept as one with a name of its own."""

from dataclasses import dataclass
from typing import Annotated, Final

from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Completion, Details
from handlers.commands.options import Options
from handlers.commands.permissions import check_permission
from handlers.loras.add import queue_order
from handlers.loras.import_request import LoraOrder
from handlers.messages.message import Message
from handlers.prompts.loras import check_scales, find_lora, read_mentions, use_of
from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import MAX_LORAS
from storage.library.loras import check_name, new_key


@dataclass(frozen=True, slots=True, kw_only=True)
class FuseOptions(Options):
    """The options of /lora fuse."""

    lora: Annotated[
        str, Details("The set, such as crayon:0.8 film:0.5", rest=True, completion=Completion.LORAS, repeats=True)
    ]
    name: Annotated[str, Details("What to call it here")]


async def fuse_loras(caller: Caller, options: FuseOptions, context: AppContext) -> Message:
    """Queue the set; it is a private one if a member of it is."""
    check_permission(caller, COMMAND.name)
    mentions = read_mentions(options.lora)
    if not 2 <= len(mentions) <= MAX_LORAS:
        raise InvalidRequest("lora", f"A set has 2 to {MAX_LORAS} LoRAs: {COMMAND.example}")
    if timed := next((mention.name for mention in mentions if mention.window is not None), None):
        raise InvalidRequest("lora", f"A set is active in all steps; leave the steps of '{timed:.64}' out.")
    name = options.name.strip().lower()
    check_name(name)
    found = [await find_lora(mention.name, caller, context) for mention in mentions]
    if len({lora.base_family for lora in found}) > 1:
        raise InvalidRequest("lora", "These LoRAs were made for different models; a set is for one.")
    parts = tuple(use_of(mention, lora) for mention, lora in zip(mentions, found, strict=True))
    check_scales(parts, found[0].base_family, caller.guild.settings)
    order = LoraOrder(
        key=new_key(caller.guild.id),
        name=name,
        private=any(lora.private for lora in found),
        parts=parts,
    )
    return await queue_order(order, caller, context)


COMMAND: Final = Command(
    name="lora fuse",
    help="Keep a set of LoRAs as one",
    example="/lora fuse crayon:0.8 film:0.5 --name chalky",
    takes=FuseOptions,
    handler=fuse_loras,
)
