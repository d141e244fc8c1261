"""A group of commands that no release has: /brush load takes a file, /brush list is its neighbour."""

from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal

from handlers.commands.attachments import AttachedFile
from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Details
from handlers.commands.options import Options
from handlers.messages.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions(Options):
    """The options of /brush load."""

    name: Annotated[str | None, Details("What to call it", rest=True)] = None
    file: Annotated[AttachedFile, Details("The brush itself")]
    tip: Annotated[Literal["round", "flat"] | None, Details("Its tip")] = None


async def load(caller: Caller, options: LoadOptions, context: AppContext) -> Message:
    """Say what came: the name, and the bytes that lie in the blob store."""
    file, name = options.file, options.name
    data = await context.blobs.get(file.blob)
    return Message(headline=f"{name} is {file.name} of {file.size} bytes, {data[-4:].hex()} at its end", private=True)


async def list_(caller: Caller, options: Options, context: AppContext) -> Message:
    """Say that there is nothing."""
    return Message(headline="No brushes yet", private=True)


LOAD: Final = Command(
    name="brush load",
    help="Load a brush from a file",
    example="/brush load soft --file soft.png",
    takes=LoadOptions,
    handler=load,
    private=True,
)
LIST: Final = Command(
    name="brush list", help="The brushes here", example="/brush list", takes=Options, handler=list_, private=True
)


def with_brushes(context: AppContext, limit: int = 2**20) -> AppContext:
    """The context with both commands added, where a file may have `limit` bytes."""
    return replace(context, commands=(*context.commands, LOAD, LIST), max_upload_bytes=limit)
