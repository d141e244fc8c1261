"""A family of commands that no release has: /brush load takes a file, /brush list is its neighbour."""

from dataclasses import replace
from typing import Final

from handlers.commands.call import Call
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Option, OptionKind
from handlers.messages.message import Message


async def load(call: Call, context: AppContext) -> Message:
    """Say what came: the name, and the bytes that lie in the blob store."""
    file, name = call.arguments.file("file"), call.arguments.text("name")
    if file is None:
        return Message(headline=f"Nothing came with {name}", private=True)
    data = await context.blobs.get(file.blob)
    return Message(headline=f"{name} is {file.name} of {file.size} bytes, {data[-4:].hex()} at its end", private=True)


async def list_(call: Call, context: AppContext) -> Message:
    """Say that there is nothing."""
    return Message(headline="No brushes yet", private=True)


LOAD: Final = Command(
    name="brush load",
    help="Load a brush from a file",
    example="/brush load soft --file soft.png",
    handler=load,
    private=True,
    options=(
        Option(name="name", help="What to call it", rest=True),
        Option(name="file", help="The brush itself", kind=OptionKind.FILE, required=True),
        Option(name="tip", help="Its tip", kind=OptionKind.CHOICE, choices=("round", "flat")),
    ),
)
LIST: Final = Command(name="brush list", help="The brushes here", example="/brush list", handler=list_, private=True)


def with_brushes(context: AppContext, limit: int = 2**20) -> AppContext:
    """The context with both commands added, where a file may have `limit` bytes."""
    return replace(context, commands=(*context.commands, LOAD, LIST), max_upload_bytes=limit)
