"""Whether a guild's library has room for one more LoRA, and its name."""

import pytest

from handlers.commands.context import AppContext
from handlers.context.lora_quota import LoraQuota
from pipeline.errors import InvalidRequest, UserError
from storage.guilds.guilds import Guild
from storage.platform import Platform
from tests.handlers.lora_adders import new_lora


async def test_a_library_may_be_filled_to_the_last_byte(context: AppContext, guild: Guild) -> None:
    """Its own alone: another guild's LoRAs take nothing of it."""
    other = await context.guilds.ensure(Platform.DISCORD, "2", "Others")
    await context.loras.add(new_lora(other, "huge", size=1000))
    await context.loras.add(new_lora(guild, "crayon", size=60))
    quota = LoraQuota(loras=context.loras, quota=100)

    await quota.check(guild.id, 40)
    with pytest.raises(UserError, match="remove one with /lora remove"):
        await quota.check(guild.id, 41)


async def test_a_name_that_is_taken_gets_the_first_free_number(context: AppContext, guild: Guild) -> None:
    """At most 32 characters with it; a private name is taken for its owner alone."""
    quota = LoraQuota(loras=context.loras, quota=100)
    long = "x" * 32
    for name in ("fox", "fox-2", long):
        await context.loras.add(new_lora(guild, name))
    await context.loras.add(new_lora(guild, "owl", private=True))

    assert await quota.free_name(guild.id, "ada", "fox", private=False) == "fox-3"
    assert await quota.free_name(guild.id, "ada", long, private=False) == f"{'x' * 28}-2"
    assert await quota.free_name(guild.id, "bob", "owl", private=True) == "owl"
    with pytest.raises(InvalidRequest, match="has a LoRA 'fox' already"):
        await quota.check_name(guild.id, "ada", "fox", private=False)
