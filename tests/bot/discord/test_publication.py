"""Commands that Discord does not take are sent again later; members are heard meanwhile."""

import asyncio

import pytest

from bot.discord.app import DiscordApp
from bot.discord.chat_platform import DiscordPlatform
from bot.discord.publication import CommandPublication
from tests.bot.discord.conftest import World
from tests.eventually import eventually


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (400, 30034, "takes no more commands of this bot today"),
        (400, 50035, "does not take Limner's commands (Discord's 50035)"),
        (403, 50001, "does not take Limner's commands (Discord's 50001)"),
        (429, 0, "does not take Limner's commands"),
        (503, 0, "does not take Limner's commands (Discord's 503)"),
    ],
)
async def test_refused_commands_are_sent_until_discord_takes_them(
    world: World, caplog: pytest.LogCaptureFixture, status: int, code: int, words: str
) -> None:
    """What is wrong is said once, and to /readyz until it is over."""
    name = f"discord commands of {world.client.application_id}"
    await world.context.notes.put(name, "of an older version")
    world.env.inject_error("PUT", "/applications/*/commands", status=status, code=code, message="no", times=3)
    publication = world.client.publication = CommandPublication(
        tree=world.client.tree, notes=world.context.notes, first_pause=0.001
    )
    platform = world.delivery.chat
    assert isinstance(platform, DiscordPlatform)
    check = DiscordApp(client=world.client, platform=platform).check
    with world.env.time_context():
        publishing = asyncio.create_task(publication.run(world.client.application_id or 0))

        async def troubled() -> str | None:
            return publication.trouble

        trouble = await eventually(troubled)
        assert await check() == trouble
    await world.ada.slash(world.channel, "imagine", prompt="fox")
    assert (await world.claim()).job.member_name == "ada"
    await publishing

    assert words in trouble
    assert caplog.text.count(words) == 1
    assert await check() is None
    assert await world.context.notes.get(name) != "of an older version"
