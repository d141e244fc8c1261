"""Direct messages on Discord: what came there can be gone on with, and what cannot come there is had by /history."""

import pytest
from simcord.backend.models import Message

from storage.guilds.guilds import GuildSettings
from storage.platform import Platform
from tests.eventually import eventually
from tests.wire.discord.fake_discord import FakeDiscord, Fault
from tests.wire.discord.people import Person, Server, labels, text
from tests.wire.discord.stage import Stage

_TOKEN_IS_OVER = 16 * 60


async def _delivered(stage: Stage, discord: FakeDiscord, ada: Person, **values: bool) -> None:
    """Ada's private image, whose token is over before it is there."""
    stage.device.eager = False
    ada.slash("imagine", prompt="red fox", private=True, **values)

    async def submitted() -> bool:
        return bool(stage.device.submitted)

    await eventually(submitted)
    discord.backend.clock.advance(_TOKEN_IS_OVER)
    stage.device.eager = True
    stage.device.finish(stage.device.submitted[0])

    async def settled() -> bool:
        return await stage.context.outbox.unsettled(Platform.DISCORD) == 0

    await eventually(settled)


async def _direct(ada: Person, count: int = 1) -> list[Message]:
    async def look() -> list[Message] | None:
        found = [message for message in ada.direct() if message.attachments]
        return found if len(found) >= count else None

    return await eventually(look)


async def test_the_buttons_of_a_direct_message_work(
    stage: Stage, discord: FakeDiscord, pixels: Server, ada: Person
) -> None:
    """In the server where it was asked for, whose data it is: again, as a form, as words, and away."""
    await _delivered(stage, discord, ada)
    [message] = await _direct(ada)
    (guild,) = await stage.context.guilds.all(Platform.DISCORD)
    await stage.context.guilds.save_settings(
        guild.id, GuildSettings(allowed_channels=(str(pixels.channel_id),)), "boss"
    )

    await ada.reads(ada.click(message, "Info"), "/imagine prompt:red fox")
    ada.click(message, "Again")
    await _direct(ada, 2)
    await ada.fill(ada.click(message, "Edit"), prompt="grey owl")
    await _direct(ada, 3)
    ada.click(message, "Delete")

    async def gone() -> bool:
        return message.id not in {each.id for each in ada.direct()}

    await eventually(gone)
    jobs = await stage.context.queue.member_jobs(guild.id, str(ada.id))
    assert [job.id for job in jobs] == [3, 2]


async def test_a_member_who_left_is_told_so(stage: Stage, discord: FakeDiscord, pixels: Server, ada: Person) -> None:
    """Not that the image is gone."""
    await _delivered(stage, discord, ada)
    [message] = await _direct(ada)
    discord.backend.remove_member(pixels.guild_id, ada.id)

    await ada.reads(ada.click(message, "Again"), "no longer in the server where this was made")


@pytest.fixture
def closed(discord: FakeDiscord) -> Fault:
    """Ada takes no direct messages."""
    fault = Fault(method="POST", path="/channels/*/messages", status=403, code=50007, times=99)
    discord.faults.append(fault)
    return fault


async def test_a_private_result_that_cannot_be_sent_is_shown_by_history(
    stage: Stage, discord: FakeDiscord, pixels: Server, ada: Person, closed: Fault
) -> None:
    """To the member alone, by itself until they save it, and then each time that they ask for it."""
    await _delivered(stage, discord, ada)
    assert closed.times < 99

    history = ada.slash("history")
    answer = await ada.reads(history, "red fox")
    assert "could not be brought to you" in text(answer)
    assert len(answer.attachments) == 1
    assert answer.is_ephemeral

    saved = await ada.reads(ada.click(answer, "Save: 1"), "red fox")
    again = await ada.reads(ada.slash("history"), "red fox")

    assert again.attachments == []
    assert len(saved.attachments) == 1
    assert saved.is_ephemeral
    assert [each for each in pixels.messages() if each.attachments] == []
    assert "Delete" not in labels(saved)
