"""What is kept of a member: their LoRAs are part of it."""

import json

from handlers.context.context import Studio
from pipeline.models.metadata import ModelFamily
from storage.guilds.guilds import Guild
from storage.library.loras import NewLora, new_key
from storage.platform import Platform
from tests.app_contexts import CallCommand


async def add(studio: Studio, guild: Guild, name: str, *, owner: str = "ada", private: bool = True) -> None:
    new = NewLora(
        guild_id=guild.id, name=name, owner_id=owner, base_family=ModelFamily.SDXL, key=new_key(guild.id), size=1,
        private=private,
    )  # fmt: skip
    await studio.loras.add(new)


async def test_an_export_tells_of_every_lora_that_the_member_added(
    call: CallCommand, studio: Studio, guild: Guild
) -> None:
    """Private or for everyone; nobody else's."""
    await add(studio, guild, "mine")
    await add(studio, guild, "ours", private=False)
    await add(studio, guild, "theirs", owner="bob")

    (file,) = (await call("privacy", what="export")).files
    told = json.loads(file.data)["loras"]
    assert [(lora["name"], lora["private"]) for lora in told] == [("mine", True), ("ours", False)]


async def test_deleting_takes_the_members_private_loras_alone(call: CallCommand, studio: Studio, guild: Guild) -> None:
    """What they gave to everyone stays; so does what they have in another guild, and what others have here."""
    other = await studio.guilds.ensure(Platform.DISCORD, "2", "Others")
    await add(studio, guild, "mine")
    await add(studio, other, "elsewhere")
    await add(studio, guild, "ours", private=False)
    await add(studio, guild, "theirs", owner="bob")

    await call("privacy", what="delete", confirm=True)
    assert [lora.name for lora in await studio.loras.owned(guild.id, "ada")] == ["ours"]
    assert [lora.name for lora in await studio.loras.owned(other.id, "ada")] == ["elsewhere"]
    assert [lora.name for lora in await studio.loras.owned(guild.id, "bob")] == ["theirs"]
