"""Who may be served where: only where the bot was invited and may post."""

import discord
from simcord.backend.models import Interaction

from storage.platform import Platform
from tests.bot.discord.conftest import World, interact, words


async def test_a_missing_permission_is_named_before_a_device_works(world: World) -> None:
    """Nothing is queued that could not be posted."""
    quiet = world.guild.create_text_channel(
        "quiet", overwrites={world.guild.default_role: discord.PermissionOverwrite(attach_files=False)}
    )

    result = await world.ada.slash(quiet, "imagine", prompt="fox")

    assert result.response is not None
    assert "'Attach Files'" in words(result.response)
    assert await world.context.queue.claim("a worker") is None


async def test_a_server_that_did_not_invite_us_gets_a_sentence(world: World) -> None:
    """A member may bring the app along; it could not post there, so nothing is queued, stored or suggested."""
    for where in ({"context": 0, "guild_id": "4711"}, {"context": 2}):
        record = await interact(world, guild=True, **where, authorizing_integration_owners={"1": str(world.ada.id)})

        assert "Limner works in servers that invited it" in _said(world, record)
    await interact(world, guild=True, guild_id="4711", type=4, authorizing_integration_owners={"1": str(world.ada.id)})
    assert [guild.name for guild in await world.context.guilds.all(Platform.DISCORD)] == ["Pixel People"]
    assert await world.context.queue.claim("a worker") is None


async def test_a_member_who_brought_the_app_along_is_served_where_it_was_invited(world: World) -> None:
    """Installed by both, the server's invitation counts."""
    owners = {"0": str(world.guild.id), "1": str(world.ada.id)}

    await interact(world, guild=True, authorizing_integration_owners=owners)

    assert (await world.claim()).job.member_name == "ada"


def _said(world: World, record: Interaction) -> str:
    """What was answered, also to one pair of eyes."""
    known = world.env.backend.messages[record.channel_id]
    return str([known[number].components for number in (record.message_id, *record.followup_ids) if number in known])
