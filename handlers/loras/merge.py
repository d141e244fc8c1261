"""/lora fuse: a set of the guild's LoRAs, each at its scale, kept as one with a name of its own."""

from typing import Final

from handlers.commands.call import Call
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Completion, Option
from handlers.commands.permissions import check_permission
from handlers.loras.add import queue_order
from handlers.loras.import_request import LoraOrder
from handlers.messages.message import Message
from handlers.prompts.loras import find_lora, read_mentions, use_of
from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import MAX_LORAS
from storage.library.loras import check_name, new_key


async def fuse_loras(call: Call, context: AppContext) -> Message:
    """Queue the set; it is a private one if a member of it is."""
    check_permission(call, COMMAND.name)
    mentions = read_mentions(call.arguments.text("lora") or "")
    if not 2 <= len(mentions) <= MAX_LORAS:
        raise InvalidRequest("lora", f"A set has 2 to {MAX_LORAS} LoRAs: {COMMAND.example}")
    name = (call.arguments.text("name") or "").strip().lower()
    check_name(name)
    found = [await find_lora(mention.name, call, context) for mention in mentions]
    if len({lora.base_family for lora in found}) > 1:
        raise InvalidRequest("lora", "These LoRAs were made for different models; a set is for one.")
    order = LoraOrder(
        key=new_key(call.guild.id),
        name=name,
        private=any(lora.private for lora in found),
        parts=tuple(use_of(mention, lora) for mention, lora in zip(mentions, found, strict=True)),
    )
    return await queue_order(order, call, context)


COMMAND: Final = Command(
    name="lora fuse",
    help="Keep a set of LoRAs as one",
    example="/lora fuse crayon:0.8 film:0.5 --name chalky",
    handler=fuse_loras,
    options=(
        Option(
            name="lora",
            help="The set, such as crayon:0.8 film:0.5",
            required=True,
            rest=True,
            completion=Completion.LORAS,
        ),
        Option(name="name", help="What to call it here", required=True),
    ),
)
