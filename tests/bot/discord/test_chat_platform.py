"""A result arrives once, whatever Discord answers, and progress never overtakes it."""

import discord
import pytest

from handlers.messages.chat_platform import TryLater
from handlers.messages.message import Message
from storage.guilds.guilds import GuildSettings, NsfwPolicy
from storage.platform import Platform
from tests.bot.discord.conftest import World, body, claimed, gradient, shown_image, words


async def test_when_every_way_is_closed_the_images_are_kept(world: World) -> None:
    """The member finds them in /history, and nothing is tried for ever."""
    await claimed(world)
    await world.restart()
    world.env.inject_error("*", f"/channels/{world.channel.id}/messages*", status=403, code=50001, times=None)
    world.env.inject_error("POST", "/channels/*/messages", status=403, code=50007, times=None)

    await world.finish(await world.claim())

    assert await world.context.outbox.unsettled(world.delivery.chat.platform) == 0
    result = await world.ada.slash(world.channel, "history")
    assert result.response is not None
    assert "red fox" in words(result.response)


async def test_a_failing_discord_is_tried_again(world: World) -> None:
    """An error of theirs settles nothing; the next round posts, once."""
    await claimed(world)
    await world.restart()
    world.env.inject_error("PATCH", "/channels/*/messages/*", status=500, times=1)

    await world.finish(await world.claim())
    assert world.last.attachments == []
    world.clock.advance(60)
    await world.deliver()

    assert len(world.last.attachments) == 1
    assert len(world.channel.history()) == 1


async def test_a_second_post_of_one_reply_carries_the_first_ones_nonce(world: World) -> None:
    """Killed between post and mark, the reply falls due again; Discord makes one message of two with one nonce."""
    message = Message(headline="red fox", images=(shown_image(),))

    with world.env.time_context():
        await world.delivery.chat.deliver(world.address(), message, "a-nonce")
        await world.delivery.chat.deliver(world.address(), message, "a-nonce")

    posts = [body(call) for call in world.env.http_requests if call.method == "POST" and "/channels/" in call.path]
    assert [(post["nonce"], post["enforce_nonce"]) for post in posts] == [("a-nonce", True)] * 2


async def test_what_discord_finds_too_large_is_sent_smaller_once(world: World) -> None:
    """A limit that we did not know of costs one more try, not the image."""
    world.env.inject_error("POST", "/channels/*/messages", status=413, code=40005, times=1)

    with world.env.time_context():
        await world.delivery.chat.deliver(
            world.address(), Message(headline="fox", images=(shown_image(data=gradient()),)), "n"
        )

    [attachment] = world.last.attachments
    assert attachment.filename == "fox.webp"


async def test_a_connection_that_ended_for_good_owes_everything(world: World) -> None:
    """Neither a trace for each try nor a lost image."""
    await claimed(world)
    await world.client.close()

    for verb in (world.delivery.chat.show_progress, lambda to, message: world.delivery.chat.deliver(to, message, "n")):
        with pytest.raises(TryLater, match="the connection to Discord has ended"):
            await verb(world.address(), Message(headline="fox"))


async def test_progress_never_overtakes_the_result(world: World) -> None:
    """A state that was read before the end is not shown after it."""
    await claimed(world)
    [stale] = await world.context.outbox.open_replies(world.delivery.chat.platform)
    await world.finish(await world.claim())

    with world.env.time_context():
        still = Message(headline="still waiting", job_id=stale.job.id)
        await world.delivery.chat.show_progress(stale.address, still)

    assert len(world.last.attachments) == 1


@pytest.mark.parametrize(
    ("nsfw", "restricted", "names"),
    [
        (NsfwPolicy.RESTRICTED, True, ["red-fox-1-1.png"]),
        (NsfwPolicy.RESTRICTED, False, []),
        (NsfwPolicy.SPOILER, True, ["red-fox-1-1.png"]),
        (NsfwPolicy.SPOILER, False, ["SPOILER_red-fox-1-1.png"]),
        (NsfwPolicy.REFUSE, True, []),
    ],
)
async def test_an_image_for_adults_is_shown_as_channel_and_guild_have_it(
    world: World, nsfw: NsfwPolicy, restricted: bool, names: list[str]
) -> None:
    """Plain where Discord lets only adults in, else hidden or a sentence, and never where the guild refuses it."""
    channel = world.client.get_channel(world.channel.id)
    assert isinstance(channel, discord.TextChannel)
    channel.nsfw = restricted  # as a gateway event says it; the simulation knows of no such channels
    guild = await world.context.guilds.ensure(Platform.DISCORD, str(world.guild.id), "Pixel People")
    await world.context.guilds.save_settings(guild.id, GuildSettings(nsfw=nsfw), "boss")
    await claimed(world)

    await world.finish(await world.claim(), nsfw=True)

    assert [file.filename for file in world.last.attachments] == names
    assert ("for adults and not shown here" in words(world.last)) is (not names)
