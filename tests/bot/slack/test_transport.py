"""Which of Slack's settings make which transport, and what is said where one is missing."""

from pathlib import Path

import pytest

from bot.assembly.settings import Settings
from bot.slack.transport import Distributed, SignedRequests, SocketMode, transport
from pipeline.errors import UserError

_SOCKET = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
_OAUTH = {"SLACK_SIGNING_SECRET": "s", "SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "c"}
_NAMES = (*_SOCKET, *_OAUTH)


def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **environment: str) -> Settings:
    """The settings of an environment that holds these of Slack's alone."""
    monkeypatch.chdir(tmp_path)
    for name in _NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings.load()


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({}, type(None)),
        (_SOCKET, SocketMode),
        (_OAUTH, Distributed),
        ({"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "s"}, SignedRequests),
        (_SOCKET | _OAUTH, SocketMode),
    ],
)
def test_the_settings_choose_the_transport(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], kind: type
) -> None:
    """By the names that docs/slack.md gives."""
    assert isinstance(transport(settings(monkeypatch, tmp_path, **environment)), kind)


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, "SLACK_APP_TOKEN is not set"),
        ({"SLACK_APP_TOKEN": "xapp-1"}, "SLACK_BOT_TOKEN is not set"),
        ({"SLACK_CLIENT_ID": "1.2"}, "SLACK_SIGNING_SECRET and SLACK_CLIENT_SECRET"),
    ],
)
def test_half_a_transport_names_its_other_half(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], missing: str
) -> None:
    """Anyone who set one token wants Slack; silence would leave them waiting."""
    with pytest.raises(UserError, match=missing):
        transport(settings(monkeypatch, tmp_path, **environment))
