"""/lora key: the guild's keys for Civitai and Hugging Face; set, seen to be there, removed, and never shown."""

from dataclasses import dataclass
from typing import Annotated, Final

from handlers.commands.call import Caller
from handlers.commands.command import Audience, Command
from handlers.commands.context import AppContext
from handlers.commands.option import Details
from handlers.commands.options import Options
from handlers.messages.message import Message
from pipeline.errors import InvalidRequest
from storage.guilds.source_credentials import KeySource

_NAMES: Final = {KeySource.CIVITAI: "Civitai", KeySource.HUGGING_FACE: "Hugging Face"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOptions(Options):
    """The options of /lora key."""

    source: Annotated[KeySource | None, Details("Whose key", rest=True)] = None
    set: Annotated[str | None, Details("The key, which is not shown again", secret=True)] = None
    remove: Annotated[bool | None, Details("Forget it")] = None


async def lora_key(caller: Caller, options: KeyOptions, context: AppContext) -> Message:
    """Keep a key or forget it; without either say which are there."""
    source, key, remove = options.source, options.set, options.remove
    if not (key or remove):
        return await _shown(caller, context)
    if source is None or (key and remove):
        raise InvalidRequest("source", f"Say which key, and either set or remove it: {COMMAND.example}")
    if key:
        await context.source_keys.put(caller.guild.id, source, key.strip(), caller.member.name)
        words = f"The key for {_NAMES[source]} is kept, sealed; it is sent to {_NAMES[source]} alone."
    elif await context.source_keys.remove(caller.guild.id, source, caller.member.name):
        words = f"The key for {_NAMES[source]} is forgotten."
    else:
        words = f"There was no key for {_NAMES[source]}."
    return Message(headline=words, private=True)


async def _shown(caller: Caller, context: AppContext) -> Message:
    there = await context.source_keys.sources(caller.guild.id)
    lines = tuple(f"{name}: {'a key is set' if source in there else 'no key'}" for source, name in _NAMES.items())
    return Message(headline="Keys of this server for LoRAs that need a login", lines=lines, private=True)


COMMAND: Final = Command(
    name="lora key",
    help="The keys for Civitai and Hugging Face",
    example="/lora key civitai --set 0123456789abcdef",
    takes=KeyOptions,
    handler=lora_key,
    audience=Audience.ADMINS,
    private=True,
)
