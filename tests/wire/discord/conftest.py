"""A fake Discord with two servers; whatever Discord's document finds wrong with a request fails the test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.wire.discord.fake_discord import FakeDiscord
from tests.wire.discord.people import Person, Server, new_person, new_server
from tests.wire.discord.stage import Stage, on_stage


@pytest.fixture
async def discord() -> AsyncIterator[FakeDiscord]:
    async with FakeDiscord().running() as fake:
        yield fake
    assert fake.violations == [], "\n".join(fake.violations)


@pytest.fixture
def pixels(discord: FakeDiscord) -> Server:
    return new_server(discord, "Pixel People")


@pytest.fixture
def foxes(discord: FakeDiscord) -> Server:
    return new_server(discord, "Friends of Foxes")


@pytest.fixture
def ada(pixels: Server) -> Person:
    return new_person(pixels, "ada")


@pytest.fixture
def bob(foxes: Server) -> Person:
    return new_person(foxes, "bob")


@pytest.fixture
async def stage(discord: FakeDiscord, pixels: Server, tmp_path: Path, empty_sqlite: Path) -> AsyncIterator[Stage]:
    """Limner in this process, with a device of paper."""
    assert pixels.guild_id in discord.backend.guilds
    async with on_stage(discord, tmp_path, empty_sqlite) as running:
        yield running
