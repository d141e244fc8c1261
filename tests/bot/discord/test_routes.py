"""The route that a result takes: from the deferred answer to a direct message, and never where others can read it."""

import pytest

from handlers.messages.message import Message
from tests.bot.discord.conftest import FIFTEEN_MINUTES, World, claimed, shown_image

EDIT_ANSWER = "/webhooks/*/messages/@original"


@pytest.mark.parametrize(("status", "code"), [(401, 50027), (404, 10015), (404, 10008)])
async def test_a_token_that_dies_early_hands_over_to_the_bot(world: World, status: int, code: int) -> None:
    """Discord sometimes ends a token before its time, in three ways."""
    await claimed(world)
    world.env.inject_error("PATCH", EDIT_ANSWER, status=status, code=code, message="dead", times=None)

    await world.finish(await world.claim())

    assert len(world.channel.history()) == 1
    assert len(world.last.attachments) == 1


async def test_after_a_restart_the_bots_own_token_serves(world: World) -> None:
    """Tokens of interactions are kept in memory alone; what was queued before a restart arrives all the same."""
    await claimed(world)

    await world.restart()
    await world.finish(await world.claim())

    assert len(world.channel.history()) == 1
    assert len(world.last.attachments) == 1


async def test_a_deleted_status_message_is_replaced_by_a_new_one(world: World) -> None:
    """Somebody tidied the channel; the images come anyway."""
    await claimed(world)
    await world.restart()
    world.env.backend.delete_message(world.channel.id, world.last.id)

    await world.finish(await world.claim())

    assert len(world.last.attachments) == 1


@pytest.mark.parametrize(("status", "code"), [(403, 50001), (403, 50013), (404, 10003), (403, 200000)])
async def test_a_channel_that_closed_sends_the_images_to_the_member(world: World, status: int, code: int) -> None:
    """Permissions were taken away, the channel is gone, or AutoMod objects: a direct message is the last route."""
    await claimed(world)
    await world.restart()
    channel = f"/channels/{world.channel.id}/messages*"
    world.env.inject_error("*", channel, status=status, code=code, message="closed", times=None)

    await world.finish(await world.claim())

    last = world.ada.user.dm_channel.last_message
    assert last is not None
    assert len(last.attachments) == 1


@pytest.mark.parametrize("code", [50083, 160005])
async def test_a_closed_thread_hands_over_to_its_parent(world: World, code: int) -> None:
    """An archived or locked thread takes no message; the channel around it does."""
    thread_id = "4711"
    world.env.inject_error("*", f"/channels/{thread_id}/messages*", status=400, code=code, times=None)

    with world.env.time_context():
        await world.delivery.chat.deliver(
            world.address(thread_id=thread_id), Message(headline="fox", images=(shown_image(),)), "n"
        )

    assert len(world.last.attachments) == 1


async def test_private_results_go_to_nobody_else_when_their_token_is_over(world: World) -> None:
    """A private answer cannot be edited by the bot, and must not be posted: a direct message takes its place."""
    await claimed(world, private=True)
    await world.env.advance_time(FIFTEEN_MINUTES)

    await world.finish(await world.claim())

    last = world.ada.user.dm_channel.last_message
    assert last is not None
    assert len(last.attachments) == 1
    assert world.channel.history(viewer=world.admin) == []
