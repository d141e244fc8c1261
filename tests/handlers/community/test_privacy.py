"""What is kept of a member: their LoRAs are part of it."""

import json

from handlers.commands.context import AppContext
from pipeline.families.family import ModelFamily
from storage.guilds.guilds import Guild
from storage.library.loras import NewLora, new_key
from storage.platform import Platform
from tests.app_contexts import CallCommand


async def add(context: AppContext, guild: Guild, name: str, *, owner: str = "ada", private: bool = True) -> None:
    new = NewLora(
        guild_id=guild.id, name=name, owner_id=owner, base_family=ModelFamily.SDXL, key=new_key(guild.id), size=1,
        private=private,
    )  # fmt: skip
    await context.loras.add(new)


async def test_an_export_tells_of_every_lora_that_the_member_added(
    call: CallCommand, context: AppContext, guild: Guild
) -> None:
    """Private or for everyone; nobody else's."""
    await add(context, guild, "mine")
    await add(context, guild, "ours", private=False)
    await add(context, guild, "theirs", owner="bob")

    (file,) = (await call("privacy", what="export")).files
    exported = json.loads(file.data)["loras"]
    assert [(lora["name"], lora["private"]) for lora in exported] == [("mine", True), ("ours", False)]


async def test_deleting_takes_the_members_private_loras_alone(
    call: CallCommand, context: AppContext, guild: Guild
) -> None:
    """What they gave to everyone stays; so does what they have in another guild, and what others have here."""
    other = await context.guilds.ensure(Platform.DISCORD, "2", "Others")
    await add(context, guild, "mine")
    await add(context, other, "elsewhere")
    await add(context, guild, "ours", private=False)
    await add(context, guild, "theirs", owner="bob")

    await call("privacy", what="delete", confirm=True)
    assert [lora.name for lora in await context.loras.owned(guild.id, "ada")] == ["ours"]
    assert [lora.name for lora in await context.loras.owned(other.id, "ada")] == ["elsewhere"]
    assert [lora.name for lora in await context.loras.owned(guild.id, "bob")] == ["theirs"]
