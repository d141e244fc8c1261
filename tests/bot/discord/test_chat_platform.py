"""A result always arrives: each arrow from one route to the next, and never twice."""

import io
import random

import discord
import pytest
from PIL import Image

from bot.discord.app import DiscordApp
from bot.discord.auth_status import REVOKED
from bot.discord.chat_platform import DiscordPlatform
from handlers.messages.chat_platform import TryLater
from handlers.messages.message import Message, ShownImage
from storage.guilds.guilds import GuildSettings, NsfwPolicy
from storage.platform import Platform
from tests.bot.discord.conftest import World, body, words

FIFTEEN_MINUTES = 15 * 60 + 1
EDIT_ANSWER = "/webhooks/*/messages/@original"


def _calls(world: World, method: str, part: str) -> int:
    return sum(call.method == method and part in call.path for call in world.env.http_requests)


async def _claimed(world: World, **values: str | int | bool) -> None:
    await world.ada.slash(world.channel, "imagine", **{"prompt": "red fox", **values})
    await world.show()


async def test_within_the_tokens_life_the_deferred_answer_is_edited(world: World) -> None:
    """It needs no permission and no new message."""
    await _claimed(world)
    before = _calls(world, "PATCH", "/channels/")

    await world.finish(await world.claim())

    assert _calls(world, "PATCH", "/channels/") == before
    assert len(world.last.attachments) == 1


async def test_past_the_tokens_life_the_bot_edits_its_own_message(world: World) -> None:
    """No call is made with a token that is known to be over; the requester, who waited long, is told once."""
    await _claimed(world)
    await world.env.advance_time(FIFTEEN_MINUTES)
    world.clock.advance(FIFTEEN_MINUTES)
    before = _calls(world, "PATCH", "/webhooks/")

    await world.finish(await world.claim())

    mention, status = sorted(world.channel.history(), key=lambda message: message.id, reverse=True)
    assert _calls(world, "PATCH", "/webhooks/") == before
    assert len(status.attachments) == 1
    assert mention.content == f"<@{world.ada.id}> it is ready."
    assert [user.id for user in mention.mentions] == [world.ada.id]


@pytest.mark.parametrize(("status", "code"), [(401, 50027), (404, 10015), (404, 10008)])
async def test_a_token_that_dies_early_hands_over_to_the_bot(world: World, status: int, code: int) -> None:
    """Discord sometimes ends a token before its time, in three routes."""
    await _claimed(world)
    world.env.inject_error("PATCH", EDIT_ANSWER, status=status, code=code, message="dead", times=None)

    await world.finish(await world.claim())

    assert len(world.channel.history()) == 1
    assert len(world.last.attachments) == 1


async def test_after_a_restart_the_bots_own_token_serves(world: World) -> None:
    """Tokens of interactions are kept in memory alone; what was queued before a restart arrives all the same."""
    await _claimed(world)

    await world.restart()
    await world.finish(await world.claim())

    assert len(world.channel.history()) == 1
    assert len(world.last.attachments) == 1


async def test_a_deleted_status_message_is_replaced_by_a_new_one(world: World) -> None:
    """Somebody tidied the channel; the images come anyway."""
    await _claimed(world)
    await world.restart()
    world.env.backend.delete_message(world.channel.id, world.last.id)

    await world.finish(await world.claim())

    assert len(world.last.attachments) == 1


@pytest.mark.parametrize(("status", "code"), [(403, 50001), (403, 50013), (404, 10003), (403, 200000)])
async def test_a_channel_that_closed_sends_the_images_to_the_member(world: World, status: int, code: int) -> None:
    """Permissions were taken away, the channel is gone, or AutoMod objects: a direct message is the last route."""
    await _claimed(world)
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
            world.address(thread_id=thread_id), Message(headline="fox", images=(_image(),)), "n"
        )

    assert len(world.last.attachments) == 1


async def test_when_every_way_is_closed_the_images_are_kept(world: World) -> None:
    """The member finds them in /history, and nothing is tried for ever."""
    await _claimed(world)
    await world.restart()
    world.env.inject_error("*", f"/channels/{world.channel.id}/messages*", status=403, code=50001, times=None)
    world.env.inject_error("POST", "/channels/*/messages", status=403, code=50007, times=None)

    await world.finish(await world.claim())

    assert await world.context.outbox.unsettled(world.delivery.chat.platform) == 0
    result = await world.ada.slash(world.channel, "history")
    assert result.response is not None
    assert "red fox" in words(result.response)


async def test_private_results_go_to_nobody_else_when_their_token_is_over(world: World) -> None:
    """A private answer cannot be edited by the bot, and must not be posted: a direct message takes its place."""
    await _claimed(world, private=True)
    await world.env.advance_time(FIFTEEN_MINUTES)

    await world.finish(await world.claim())

    last = world.ada.user.dm_channel.last_message
    assert last is not None
    assert len(last.attachments) == 1
    assert world.channel.history(viewer=world.admin) == []


async def test_a_failing_discord_is_tried_again(world: World) -> None:
    """An error of theirs settles nothing; the next round posts, once."""
    await _claimed(world)
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
    message = Message(headline="red fox", images=(_image(),))

    with world.env.time_context():
        await world.delivery.chat.deliver(world.address(), message, "a-nonce")
        await world.delivery.chat.deliver(world.address(), message, "a-nonce")

    posts = [body(call) for call in world.env.http_requests if call.method == "POST" and "/channels/" in call.path]
    assert [(post["nonce"], post["enforce_nonce"]) for post in posts] == [("a-nonce", True)] * 2


async def test_an_image_above_the_limit_becomes_webp(world: World) -> None:
    """Ten megabytes a file, unless the server is boosted; WebP is much smaller than PNG."""
    noise = Image.frombytes("RGB", (2048, 2048), random.Random(1).randbytes(2048 * 2048 * 3))  # noqa: S311 - noise, not a secret
    file = io.BytesIO()
    noise.save(file, "PNG", compress_level=1)
    assert file.tell() > 10 * 2**20

    with world.env.time_context():
        await world.delivery.chat.deliver(
            world.address(), Message(headline="noise", images=(_image(data=file.getvalue()),)), "n"
        )

    [attachment] = world.last.attachments
    assert attachment.filename == "fox.webp"
    assert attachment.size <= 10 * 2**20


async def test_what_discord_finds_too_large_is_sent_smaller_once(world: World) -> None:
    """A limit that we did not know of costs one more try, not the image."""
    world.env.inject_error("POST", "/channels/*/messages", status=413, code=40005, times=1)

    with world.env.time_context():
        await world.delivery.chat.deliver(
            world.address(), Message(headline="fox", images=(_image(data=_gradient()),)), "n"
        )

    [attachment] = world.last.attachments
    assert attachment.filename == "fox.webp"


async def test_what_no_form_makes_small_enough_is_a_sentence(world: World) -> None:
    """It says which image is missing, and that it is kept; a pixel is no smaller as WebP than half of itself."""
    world.env.inject_error("POST", "/channels/*/messages", status=413, code=40005, times=1)
    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "PNG")

    with world.env.time_context():
        await world.delivery.chat.deliver(
            world.address(), Message(headline="fox", images=(_image(data=file.getvalue()),)), "n"
        )

    assert world.last.attachments == []
    assert "fox.png is too large for this server" in words(world.last)
    assert "It is kept, and /history names its job" in words(world.last)


async def test_refused_components_become_embeds(world: World) -> None:
    """Where the new form is not taken the old one is: same words, same buttons."""
    world.env.inject_error("POST", "/channels/*/messages", status=400, code=50035, message="Invalid Form", times=1)

    with world.env.time_context():
        await world.delivery.chat.deliver(world.address(), Message(headline="fox", images=(_image(),)), "n")

    [embed] = world.last.embeds
    assert embed.description is not None
    assert "fox" in embed.description
    assert embed.image.url


async def test_a_spoiler_stays_a_spoiler(world: World) -> None:
    """Images that are marked are hidden until they are clicked."""
    with world.env.time_context():
        await world.delivery.chat.deliver(world.address(), Message(headline="fox", images=(_image(spoiler=True),)), "n")

    assert world.last.attachments[0].is_spoiler()


async def test_a_token_that_is_taken_back_keeps_what_is_owed(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """One sentence in the log, the state in /readyz; when Discord takes the token again, all is well."""
    await _claimed(world)
    await world.restart()
    platform = world.delivery.chat
    assert isinstance(platform, DiscordPlatform)
    check = DiscordApp(client=world.client, platform=platform).check
    platform.auth_status = world.client.auth_status
    world.env.inject_error("*", "/channels/*", status=401, code=0, message="401: Unauthorized", times=2)

    claim = await world.claim()
    await world.progress(claim, 5)
    await world.finish(claim)
    assert await check() == REVOKED
    assert caplog.text.count("no longer takes DISCORD_TOKEN") == 1
    assert await world.context.outbox.unsettled(world.delivery.chat.platform) == 1
    world.clock.advance(61)
    await world.deliver()

    assert await check() is None
    assert len(world.last.attachments) == 1


async def test_a_connection_that_ended_for_good_owes_everything(world: World) -> None:
    """Neither a trace for each try nor a lost image."""
    await _claimed(world)
    await world.client.close()

    for verb in (world.delivery.chat.show_progress, lambda to, message: world.delivery.chat.deliver(to, message, "n")):
        with pytest.raises(TryLater, match="the connection to Discord has ended"):
            await verb(world.address(), Message(headline="fox"))


async def test_progress_never_overtakes_the_result(world: World) -> None:
    """A state that was read before the end is not shown after it."""
    await _claimed(world)
    [stale] = await world.context.outbox.open_replies(world.delivery.chat.platform)
    await world.finish(await world.claim())

    with world.env.time_context():
        still = Message(headline="still waiting", job_id=stale.job.id)
        await world.delivery.chat.show_progress(stale.address, still)

    assert len(world.last.attachments) == 1


def _image(data: bytes | None = None, *, spoiler: bool = False) -> ShownImage:
    return ShownImage(data=data or _gradient(16), file_name="fox.png", alt_text="a fox", spoiler=spoiler)


def _gradient(side: int = 256) -> bytes:
    file = io.BytesIO()
    Image.radial_gradient("L").resize((side, side)).convert("RGB").save(file, "PNG")
    return file.getvalue()


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
    await _claimed(world)

    await world.finish(await world.claim(), nsfw=True)

    assert [file.filename for file in world.last.attachments] == names
    assert ("for adults and not shown here" in words(world.last)) is (not names)
