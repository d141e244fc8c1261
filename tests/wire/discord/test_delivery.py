"""Delivery on Discord: whatever closes, the member learns of the result, once, and no button is left behind."""

import pytest
from simcord.backend.models import Message

from storage.platform import Platform
from tests.eventually import eventually
from tests.wire.discord.fake_discord import FakeDiscord, Fault
from tests.wire.discord.people import Person, Server, labels, text
from tests.wire.discord.stage import Stage

_TOKEN_IS_OVER = 16 * 60


async def _asked(stage: Stage, discord: FakeDiscord, ada: Person, pixels: Server, **values: bool) -> None:
    """Ada's /imagine, whose token is over before the image is there; the status message has its Cancel."""
    stage.device.eager = False
    ada.slash("imagine", prompt="red fox", **values)

    async def shown() -> bool:
        return bool(values) or any("Cancel" in labels(message) for message in pixels.messages())

    await eventually(shown)
    await eventually(lambda: _submitted(stage))
    discord.backend.clock.advance(_TOKEN_IS_OVER)


async def _submitted(stage: Stage) -> bool:
    return bool(stage.device.submitted)


async def _settled(stage: Stage) -> None:
    async def look() -> bool:
        return await stage.context.outbox.unsettled(Platform.DISCORD) == 0

    await eventually(look)


async def _direct(ada: Person) -> Message:
    async def look() -> Message | None:
        return next(iter(ada.direct()), None)

    return await eventually(look)


@pytest.mark.parametrize(("status", "code"), [(400, 30046), (403, 200000)])
async def test_an_image_that_came_elsewhere_leaves_no_cancel_behind(
    stage: Stage, discord: FakeDiscord, ada: Person, pixels: Server, status: int, code: int
) -> None:
    """The edit was refused and the image posted again: the status message is taken away."""
    await _asked(stage, discord, ada, pixels)
    discord.faults.append(Fault(method="PATCH", path="/channels/*/messages/*", status=status, code=code, times=9))
    stage.device.finish(stage.device.submitted[0])

    await pixels.images(1)
    await _settled(stage)

    assert len(pixels.messages()) == 1
    assert "Cancel" not in labels(pixels.messages()[0])


async def test_a_status_message_says_that_the_image_came_directly(
    stage: Stage, discord: FakeDiscord, ada: Person, pixels: Server
) -> None:
    """The server takes no uploads, so the image came in a direct message; the channel says so in words."""
    await _asked(stage, discord, ada, pixels)
    path = f"/channels/{pixels.channel_id}/messages*"
    discord.faults += [
        Fault(method=method, path=path, status=403, code=400001, times=9, file="*") for method in ("PATCH", "POST")
    ]
    stage.device.finish(stage.device.submitted[0])

    assert (await _direct(ada)).attachments
    await _settled(stage)

    [status] = pixels.messages()
    assert "came to you in a direct message" in text(status)
    assert labels(status) == []


@pytest.mark.parametrize(("status", "code"), [(400, 50046), (403, 50013)])
async def test_an_image_that_no_route_takes_ends_in_a_sentence(
    stage: Stage, discord: FakeDiscord, ada: Person, pixels: Server, status: int, code: int
) -> None:
    """Words are taken where files are not; the admins read Discord's number, and nothing is tried again."""
    await _asked(stage, discord, ada, pixels)
    discord.faults += [
        Fault(method=method, path="/channels/*", status=status, code=code, times=99, file="*")
        for method in ("PATCH", "POST")
    ]
    stage.device.finish(stage.device.submitted[0])
    await _settled(stage)

    [message] = pixels.messages()
    assert "/history has it" in text(message)
    assert labels(message) == []
    guild = (await stage.context.guilds.all(Platform.DISCORD))[0]
    [entry] = await stage.context.audit.entries(guild.id)
    assert f"Discord's {code}" in entry.detail
