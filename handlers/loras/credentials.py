"""/lora key: the guild's keys for Civitai and Hugging Face; set, seen to be there, removed, and never shown."""

from typing import Final

from handlers.commands.call import Call
from handlers.commands.command import Audience, Command
from handlers.commands.context import AppContext
from handlers.commands.option import Option, OptionKind
from handlers.messages.message import Message
from pipeline.errors import InvalidRequest
from storage.guilds.source_credentials import KeySource

_NAMES: Final = {KeySource.CIVITAI: "Civitai", KeySource.HUGGING_FACE: "Hugging Face"}


async def lora_key(call: Call, context: AppContext) -> Message:
    """Keep a key or forget it; without either say which are there."""
    named, key, remove = call.arguments.text("source"), call.arguments.text("set"), call.arguments.switch("remove")
    if not (key or remove):
        return await _shown(call, context)
    if named is None or (key and remove):
        raise InvalidRequest("source", f"Say which key, and either set or remove it: {COMMAND.example}")
    source = KeySource(named)
    if key:
        await context.source_keys.put(call.guild.id, source, key.strip(), call.member.name)
        words = f"The key for {_NAMES[source]} is kept, sealed; it is sent to {_NAMES[source]} alone."
    elif await context.source_keys.remove(call.guild.id, source, call.member.name):
        words = f"The key for {_NAMES[source]} is forgotten."
    else:
        words = f"There was no key for {_NAMES[source]}."
    return Message(headline=words, private=True)


async def _shown(call: Call, context: AppContext) -> Message:
    there = await context.source_keys.sources(call.guild.id)
    lines = tuple(f"{name}: {'a key is set' if source in there else 'no key'}" for source, name in _NAMES.items())
    return Message(headline="Keys of this server for LoRAs that need a login", lines=lines, private=True)


COMMAND: Final = Command(
    name="lora key",
    help="The keys for Civitai and Hugging Face",
    example="/lora key civitai --set 0123456789abcdef",
    handler=lora_key,
    audience=Audience.ADMINS,
    private=True,
    options=(
        Option(
            name="source",
            help="Whose key",
            kind=OptionKind.CHOICE,
            choices=tuple(source.value for source in KeySource),
            rest=True,
        ),
        Option(name="set", help="The key, which is not shown again", secret=True),
        Option(name="remove", help="Forget it", kind=OptionKind.SWITCH),
    ),
)
