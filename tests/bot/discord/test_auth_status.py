"""A token that Discord no longer accepts: said once, and nothing that is owed is lost."""

import pytest

from bot.discord.app import DiscordApp
from bot.discord.auth_status import REVOKED
from bot.discord.chat_platform import DiscordPlatform
from tests.bot.discord.conftest import World, claimed


async def test_a_token_that_is_taken_back_keeps_what_is_owed(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """One sentence in the log, the state in /readyz; when Discord takes the token again, all is well."""
    await claimed(world)
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
