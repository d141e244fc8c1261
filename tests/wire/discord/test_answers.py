"""First answers on Discord: one that took effect counts, whatever was said of it."""

import pytest

from tests.eventually import eventually
from tests.wire.discord.fake_discord import FakeDiscord, Fault
from tests.wire.discord.people import Person, Server
from tests.wire.discord.stage import Stage


@pytest.fixture
def lost(discord: FakeDiscord) -> Fault:
    """Each first answer is carried out and answered with 500; the next try is told that there was one already."""
    fault = Fault(method="POST", path="/interactions/*/callback", status=500, times=0, takes_effect=True)
    discord.faults.append(fault)
    return fault


async def test_a_command_whose_acknowledgement_was_lost_is_carried_out_once(
    stage: Stage, ada: Person, pixels: Server, lost: Fault
) -> None:
    """The image comes into the message that was acknowledged."""
    lost.times = 1
    ada.slash("imagine", prompt="red fox")

    [message] = await pixels.images(1)

    assert len(pixels.messages()) == 1
    assert message.attachments
    assert len(stage.device.submitted) == 1


async def test_each_kind_of_first_answer_may_be_lost(
    stage: Stage, discord: FakeDiscord, ada: Person, pixels: Server, lost: Fault
) -> None:
    """A private answer, a form and what comes of it, a refusal, a click in place."""
    ada.slash("imagine", prompt="red fox")
    [message] = await pixels.images(1)

    lost.times = 1
    await ada.reads(ada.click(message, "Info"), "/imagine prompt:red fox")
    lost.times = 1
    form = ada.click(message, "Edit")
    await ada.fill(form, prompt="grey owl")
    await pixels.images(2)
    lost.times = 1
    await ada.reads(ada.slash("imagine", prompt="fox --steps 9999"), "steps")
    lost.times = 1
    ada.click(message, "Delete")

    async def gone() -> bool:
        return message.id not in discord.backend.messages[pixels.channel_id]

    await eventually(gone)
    assert lost.times == 0
    assert len(stage.device.submitted) == 2
