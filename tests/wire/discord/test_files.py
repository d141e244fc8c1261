"""Files that members attach to a command, fetched from a file server on loopback by the adapter of this process."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import discord as sdk
import pytest

from bot.assembly.settings import Settings
from bot.discord.app import running_discord
from handlers.commands.context import AppContext
from tests.brushes import with_brushes
from tests.eventually import eventually
from tests.wire.discord.fake_discord import FakeDiscord
from tests.wire.discord.people import Person

DATA = bytes(700_000) + b"\xde\xad\xbe\xef"


@pytest.fixture
async def brushes(
    discord: FakeDiscord, context: AppContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AppContext]:
    """The adapter, heard by Discord, with a command that takes a file."""
    monkeypatch.setattr(sdk.http.Route, "BASE", sdk.http.Route.BASE)
    settings = Settings(**{"LIMNER_DATA": str(tmp_path), **discord.environment})  # type: ignore[arg-type] # as from the environment
    context = with_brushes(context)
    async with running_discord(settings, context) as running:

        async def ready() -> bool:
            return await running.check() is None and (discord.backend.commands[None].get(("brush", 1)) is not None)

        await eventually(ready)
        yield context
        # What an answer leaves to be read afterwards must not meet a closed database.
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "CommandTree-invoker"))


async def test_an_attachment_is_fetched_after_the_acknowledgement(
    discord: FakeDiscord, ada: Person, brushes: AppContext
) -> None:
    """Discord waits three seconds for the one, and the other may take longer."""
    interaction = ada.slash("brush load", name="soft", file=("soft.png", DATA))

    await ada.reads(interaction, "soft is soft.png of 700004 bytes, deadbeef at its end")
    paths = [path for _, path, _ in discord.requests]
    acknowledged = next(place for place, path in enumerate(paths) if path.endswith("/callback"))
    fetched = next(place for place, path in enumerate(paths) if path.startswith("/attachments/"))
    assert acknowledged < fetched
    assert await brushes.blobs.size() == len(DATA)


async def test_a_file_that_is_gone_or_too_large_is_a_sentence(
    discord: FakeDiscord, ada: Person, brushes: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Discord deletes what was attached when the message goes; nothing is stored of either."""
    large = ada.slash("brush load", name="soft", file=("soft.png", bytes(2**20 + 1)))
    await ada.reads(large, "too large: 1.0 MB; at most 1 MB")
    assert discord.count("GET", "/attachments/*") == 0

    monkeypatch.setattr(discord.backend.cdn, "get", lambda _url: None)
    gone = ada.slash("brush load", name="soft", file=("soft.png", DATA))
    await ada.reads(gone, "Discord did not give out this file")
    assert await brushes.blobs.size() == 0
