"""The real `limner serve` as its own process, on a Discord on loopback, drawing real images."""

import signal
from pathlib import Path

import aiohttp
import pytest
from simcord.backend.models import Message

from tests.eventually import eventually
from tests.journeys.terminal import run
from tests.wire.discord.fake_discord import TOKEN, FakeDiscord, Fault
from tests.wire.discord.people import Person, Server, labels, text
from tests.wire.slack.process import Served, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

_QUICK = {"steps": 2, "seed": 7}
_SLOW = {"steps": 30, "seed": 1}
# Long on any machine; the tests that start it cancel it, or stop the process.
_ENDLESS: dict[str, int | str] = {"steps": 50, "count": 4, "scheduler": "heun", "seed": 1}


async def _seen(server: Server, words: str) -> Message:
    """The message in the channel that says `words`."""

    async def look() -> Message | None:
        return next((message for message in server.messages() if words in text(message)), None)

    return await eventually(look)


async def test_an_evening_on_two_servers(
    discord: FakeDiscord, pixels: Server, foxes: Server, ada: Person, bob: Person, tmp_path: Path
) -> None:
    """Two servers at once, failures of Discord's, buttons, an image's metadata, a soft stop: all arrives, once."""
    async with serving(tmp_path, **discord.environment) as served:
        await served.ready()
        discord.faults += [
            Fault(method="PATCH", path="/webhooks/*", status=429, retry_after=0.2),
            Fault(method="PATCH", path="/webhooks/*", status=502),
        ]

        ada.slash("imagine", prompt="red fox", count=2, **_QUICK)
        bob.slash("imagine", prompt="grey owl", **_QUICK)
        [fox] = await pixels.images(1)
        [owl] = await foxes.images(1)

        assert [len(fox.attachments), len(owl.attachments)] == [2, 1]
        assert {each["description"] for each in fox.attachments} == {"red fox"}
        assert labels(fox)[-5:] == ["Again", "Edit", "Info", "Save", "Delete"]
        assert len(pixels.messages()) == 1
        assert discord.gateway.intents == {1}

        await ada.reads(ada.click(fox, "Info"), "/imagine prompt:red fox --count 2 --seed 7 --steps 2")
        await ada.reads(ada.menu("Picture info", fox), "How this picture was made")
        await bob.reads(bob.menu("Picture info", bob.post(("notes.txt", b"words"))), "holds no picture")
        # Either server's job may have come first.
        job = int(fox.attachments[0]["filename"].split("-")[-2])
        await bob.reads(bob.slash("cancel", job=job), f"no job {job} here")
        ada.click(fox, "Delete")
        await eventually(lambda: _is_empty(pixels))
        bob.slash("imagine", prompt="last fox", **_QUICK)
        await _seen(foxes, "last fox")
    assert served.process.returncode == 0
    assert TOKEN not in "\n".join(served.log)


async def _is_empty(server: Server) -> bool:
    return not server.messages()


async def test_a_dropped_line_is_resumed(discord: FakeDiscord, pixels: Server, ada: Person, tmp_path: Path) -> None:
    """What was said while nobody listened is heard after the resume, once."""
    async with serving(tmp_path, **discord.environment) as served:
        await served.ready()
        await discord.gateway.drop()

        ada.slash("imagine", prompt="red fox", **_QUICK)
        await pixels.images(1)

        assert (discord.gateway.identified, discord.gateway.resumed) == (1, 1)
        assert len(pixels.messages()) == 1


async def test_a_glimpse_of_what_is_being_drawn(
    discord: FakeDiscord, pixels: Server, ada: Person, tmp_path: Path
) -> None:
    """The status message shows the image as it stands, and a click stops it."""
    async with serving(tmp_path, **discord.environment) as served:
        await served.ready()
        ada.slash("imagine", prompt="endless fox --width 256 --height 256", **_ENDLESS)

        async def glimpsed() -> Message | None:
            return next((m for m in pixels.messages() if m.attachments and "Cancel" in labels(m)), None)

        message = await eventually(glimpsed)
        [preview] = message.attachments

        assert preview["filename"] == "preview.jpg"
        assert preview["description"] == "Preview of: endless fox"
        assert "of 200 steps" in text(message)
        ada.click(message, "Cancel")
        await _seen(pixels, "Cancelled.")


async def test_a_token_that_is_taken_back(discord: FakeDiscord, pixels: Server, ada: Person, tmp_path: Path) -> None:
    """It is said once in the log and in /readyz; what was owed comes when there is a new token."""
    async with serving(tmp_path, **discord.environment) as served:
        await served.ready()
        ada.slash("imagine", prompt="patient fox", **_SLOW)
        await _seen(pixels, "patient fox")
        await discord.revoke()
        await eventually(lambda: _says(served, "no longer takes DISCORD_TOKEN"))
    assert sum("no longer takes DISCORD_TOKEN" in line for line in served.log) == 1

    async with serving(tmp_path, **discord.environment):
        [message] = await pixels.images(1)

        assert "patient fox" in text(message)
        assert len(pixels.messages()) == 1


async def _says(served: Served, words: str) -> bool:
    """Whether /readyz misses something in these words."""
    async with aiohttp.ClientSession() as session, session.get(f"{served.url}/readyz") as response:
        return response.status == 503 and words in str((await response.json())["missing"]["discord"])


async def test_killed_and_started_again(discord: FakeDiscord, pixels: Server, ada: Person, tmp_path: Path) -> None:
    """Nothing that was queued is lost or comes twice, old buttons work, and the commands are not published again."""
    async with serving(tmp_path, **discord.environment) as served:
        await served.ready()
        ada.slash("imagine", prompt="old fox", **_QUICK)
        [old] = await pixels.images(1)
        ada.slash("imagine", prompt="slow fox", **_SLOW)
        await _seen(pixels, "slow fox")
        await served.cut_power()

    async with serving(tmp_path, **discord.environment) as served:
        await served.ready()
        await ada.reads(ada.click(old, "Info"), "/imagine prompt:old fox")
        found = await pixels.images(2)

        assert sorted(text(message).split("**")[1] for message in found) == ["old fox", "slow fox"]
        assert len(pixels.messages()) == 2
        assert discord.count("PUT", "/applications/*/commands") == 1


async def test_a_token_that_ran_out_and_an_image_too_large(
    discord: FakeDiscord, pixels: Server, ada: Person, tmp_path: Path
) -> None:
    """Past fifteen minutes the bot edits its own message; what Discord finds too large comes smaller."""
    async with serving(tmp_path, **discord.environment) as served:
        await served.ready()
        ada.slash("imagine", prompt="patient fox", **_SLOW)
        await _seen(pixels, "patient fox")
        discord.backend.clock.advance(16 * 60)
        patch = "/channels/*/messages/*"
        discord.faults.append(Fault(method="PATCH", path=patch, status=413, code=40005, file="*.png"))
        [message] = await pixels.images(1)

        assert message.attachments[0]["filename"].endswith(".webp")
        assert len(pixels.messages()) == 1


async def test_a_post_whose_answer_is_lost_comes_once(
    discord: FakeDiscord, pixels: Server, ada: Person, tmp_path: Path
) -> None:
    """Discord took the message and the line broke before it said so: the nonce makes one of two."""
    async with serving(tmp_path, **discord.environment) as served:
        await served.ready()
        ada.slash("imagine", prompt="lost fox", **_SLOW)
        status = await _seen(pixels, "lost fox")
        discord.backend.clock.advance(16 * 60)
        discord.backend.delete_message(pixels.channel_id, status.id)
        post = f"/channels/{pixels.channel_id}/messages"
        discord.faults.append(Fault(method="POST", path=post, status=500, times=6, takes_effect=True))

        await pixels.images(1)
        await eventually(lambda: _posted_often(discord, post))

        assert len(pixels.messages()) == 1


@pytest.mark.soak
async def test_killed_before_it_hears_of_its_post_it_posts_once(
    discord: FakeDiscord, pixels: Server, ada: Person, tmp_path: Path
) -> None:
    """Discord took a new message and the process died before it knew: the next one's post has the same nonce."""
    post = f"/channels/{pixels.channel_id}/messages"
    fault = Fault(method="POST", path=post, status=500, times=99, takes_effect=True)
    async with serving(tmp_path, **discord.environment) as served:
        await served.ready()
        ada.slash("imagine", prompt="killed fox", **_SLOW)
        status = await _seen(pixels, "killed fox")
        discord.backend.clock.advance(16 * 60)
        discord.backend.delete_message(pixels.channel_id, status.id)
        discord.faults.append(fault)
        await pixels.images(1)
        await served.cut_power()

    discord.faults.remove(fault)
    before = discord.count("POST", post)
    async with serving(tmp_path, **discord.environment):
        await eventually(lambda: _posted_often(discord, post, before))

    assert len(pixels.messages()) == 1


async def _posted_often(discord: FakeDiscord, path: str, than: int = 6) -> bool:
    return discord.count("POST", path) > than


async def test_a_wrong_token_is_one_sentence(discord: FakeDiscord, tmp_path: Path) -> None:
    """It says where the right one is found, and shows neither."""
    environment = {**discord.environment, "DISCORD_TOKEN": "not.the.token"}

    code, _, complaint = await run("serve", data=tmp_path, **environment)

    assert code == 1
    assert "Discord refused DISCORD_TOKEN; copy it again" in complaint
    assert "not.the.token" not in complaint


async def test_a_soft_stop_gives_back_what_runs(
    discord: FakeDiscord, pixels: Server, ada: Person, tmp_path: Path
) -> None:
    """A stop ends the process in good order and tells the member; the next one draws what was left."""
    async with serving(tmp_path, **discord.environment, LIMNER_DRAIN_SECONDS="0") as served:
        await served.ready()
        ada.slash("imagine", prompt="slow fox", **_ENDLESS)
        await _seen(pixels, " steps")
        served.process.send_signal(signal.SIGTERM)
        assert await served.process.wait() == 0
        assert "Limner is being stopped; this goes on where it was" in text(pixels.messages()[0])

    async with serving(tmp_path, **discord.environment):
        [message] = await pixels.images(1)

        assert len(pixels.messages()) == 1
        assert "slow fox" in text(message)
