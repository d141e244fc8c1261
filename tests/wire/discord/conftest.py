"""A fake Discord with two servers; whatever Discord's document finds wrong with a request fails the test."""

from collections.abc import AsyncIterator

import pytest

from tests.wire.discord.fake_discord import FakeDiscord
from tests.wire.discord.people import Person, Server, new_person, new_server


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
