"""An interaction answers for as long as its token is valid, and not a call longer."""

from tests.bot.discord.conftest import FIFTEEN_MINUTES, World, calls, claimed


async def test_within_the_tokens_life_the_deferred_answer_is_edited(world: World) -> None:
    """It needs no permission and no new message."""
    await claimed(world)
    before = calls(world, "PATCH", "/channels/")

    await world.finish(await world.claim())

    assert calls(world, "PATCH", "/channels/") == before
    assert len(world.last.attachments) == 1


async def test_past_the_tokens_life_the_bot_edits_its_own_message(world: World) -> None:
    """No call is made with a token that is known to be over; the requester, who waited long, is told once."""
    await claimed(world)
    await world.env.advance_time(FIFTEEN_MINUTES)
    world.clock.advance(FIFTEEN_MINUTES)
    before = calls(world, "PATCH", "/webhooks/")

    await world.finish(await world.claim())

    mention, status = sorted(world.channel.history(), key=lambda message: message.id, reverse=True)
    assert calls(world, "PATCH", "/webhooks/") == before
    assert len(status.attachments) == 1
    assert mention.content == f"<@{world.ada.id}> it is ready."
    assert [user.id for user in mention.mentions] == [world.ada.id]
