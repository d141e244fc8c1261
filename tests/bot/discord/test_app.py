"""The app talks to the API that the settings name."""

import discord
import pytest

from bot.discord.app import use_api_base


@pytest.mark.parametrize(
    ("base", "used"),
    [
        (None, "https://discord.com/api/v10"),
        ("http://localhost:8080", "http://localhost:8080/api/v10"),
        ("http://localhost:8080/api/", "http://localhost:8080/api/v10"),
        ("http://proxy/discord/v9", "http://proxy/discord/v9"),
    ],
)
def test_the_base_gets_what_it_lacks(monkeypatch: pytest.MonkeyPatch, base: str | None, used: str) -> None:
    """A path and a version, unless they are there."""
    monkeypatch.setattr(discord.http.Route, "BASE", "https://discord.com/api/v10")

    use_api_base(base)

    assert used == discord.http.Route.BASE
