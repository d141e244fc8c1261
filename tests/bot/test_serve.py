"""`limner serve` says which platforms it serves."""

from pathlib import Path

import pytest

from bot.assembly.settings import Settings
from bot.serve import platform_lines

NAMES = (
    "DISCORD_TOKEN", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_CLIENT_ID",
    "SLACK_CLIENT_SECRET",
)  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "lines"),
    [
        ({}, ("DISCORD_TOKEN is not set", "SLACK_BOT_TOKEN is not set")),
        ({"DISCORD_TOKEN": "d"}, ("DISCORD_TOKEN is set", "SLACK_BOT_TOKEN is not set")),
        ({"SLACK_BOT_TOKEN": "b", "SLACK_APP_TOKEN": "a"}, ("DISCORD_TOKEN is not set", "over Socket Mode")),
        ({"SLACK_BOT_TOKEN": "b", "SLACK_SIGNING_SECRET": "s"}, ("DISCORD_TOKEN is not set", "/slack/events")),
    ],
)
def test_each_platform_has_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], lines: tuple[str, str]
) -> None:
    """Which says how it is reached, or what is missing; and never a secret."""
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    discord, slack = platform_lines(Settings.load())

    assert lines[0] in discord
    assert lines[1] in slack
