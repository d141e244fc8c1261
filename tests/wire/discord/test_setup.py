"""What a new admin runs: the invitation and the doctor, against a Discord on loopback."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import discord as sdk
import pytest
from simcord.backend.models import Overwrite

from bot.assembly.diagnostics import Observation
from bot.assembly.settings import Settings
from bot.discord.app import use_api_base
from bot.discord.diagnostics import examine_discord
from bot.discord.invite import invite_url
from pipeline.errors import UserError
from tests.wire.discord.fake_discord import FakeDiscord
from tests.wire.discord.people import Server


@pytest.fixture(autouse=True)
def _restored_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk.http.Route, "BASE", sdk.http.Route.BASE)


def _settings(discord: FakeDiscord, tmp_path: Path, **changes: str) -> Settings:
    return Settings(**{"LIMNER_DATA": str(tmp_path), **discord.environment, **changes})  # type: ignore[arg-type] # as from the environment


async def _seen(settings: Settings) -> list[Observation]:
    return [seen async for seen in examine_discord(settings)]


async def test_the_invitation_asks_for_what_is_needed_and_no_more(discord: FakeDiscord, tmp_path: Path) -> None:
    """No administrator, no reading of members or messages beyond what a reply takes."""
    query = parse_qs(urlsplit(await invite_url(_settings(discord, tmp_path))).query)

    allowed = sdk.Permissions(int(query["permissions"][0]))
    assert query["client_id"] == [str(discord.backend.application_id)]
    assert query["scope"] == ["bot applications.commands"]
    assert {name for name, is_allowed in allowed if is_allowed} == {
        "read_messages", "send_messages", "send_messages_in_threads", "embed_links", "attach_files",
        "read_message_history",
    }  # fmt: skip


async def test_the_doctor_finds_all_well(discord: FakeDiscord, pixels: Server, tmp_path: Path) -> None:
    """The token, and each server by name."""
    assert discord.backend.guilds[pixels.guild_id]
    seen = await _seen(_settings(discord, tmp_path))

    assert [each.advice for each in seen] == ["", ""]
    assert "token valid" in seen[0].words
    assert seen[1].words == "server 'Pixel People': may post in all of 1 channels"


async def test_the_doctor_names_what_is_missing_and_what_to_click(
    discord: FakeDiscord, pixels: Server, tmp_path: Path
) -> None:
    """The permission by the name that Discord shows, the channels, the place where it is given."""
    channel = discord.backend.channels[pixels.channel_id]
    channel.overwrites = [
        Overwrite(target_id=pixels.guild_id, type=0, allow=0, deny=sdk.Permissions(attach_files=True).value)  # type: ignore[arg-type] # simcord's enum takes it
    ]

    seen = await _seen(_settings(discord, tmp_path))

    assert seen[1].words == "server 'Pixel People': lacks Attach Files in 1 of 1 channels"
    assert "allow Attach Files" in seen[1].advice
    assert "#art" in seen[1].advice


async def test_without_a_server_the_doctor_says_how_to_be_invited(discord: FakeDiscord, tmp_path: Path) -> None:
    """The first thing that a new admin forgets."""
    [seen] = await _seen(_settings(discord, tmp_path))

    assert "limner discord-invite" in seen.advice


async def test_a_wrong_token_gets_one_sentence(discord: FakeDiscord, tmp_path: Path) -> None:
    """By both, and without the token."""
    settings = _settings(discord, tmp_path, DISCORD_TOKEN="wrong")

    [seen] = await _seen(settings)
    with pytest.raises(UserError, match="Discord refused DISCORD_TOKEN"):
        await invite_url(settings)
    assert "Discord refused DISCORD_TOKEN" in seen.advice


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://127.0.0.1:1/api/v10", "http://127.0.0.1:1/api/v10"),
        ("http://127.0.0.1:1/api/", "http://127.0.0.1:1/api/v10"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1/api/v10"),
    ],
)
def test_the_api_base_may_leave_out_what_is_always_the_same(given: str, used: str) -> None:
    """With or without the version, with or without a last slash."""
    use_api_base(given)

    assert used == sdk.http.Route.BASE
