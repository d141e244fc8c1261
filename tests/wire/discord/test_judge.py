"""The judge bites: what Discord's document forbids is found, and what it allows passes."""

from typing import Any

import pytest

from tests.wire.discord.specification import discords_own

BUTTONS = [{"type": 1, "components": [{"type": 2, "style": 1, "label": "Again", "custom_id": "v1:again:7:0"}]}]
OPTION = {"type": 3, "name": "prompt", "description": "What to draw"}
COMMAND = {"name": "imagine", "description": "Make pictures from words", "options": [OPTION]}


def test_what_discord_allows_passes() -> None:
    """A message with buttons, its edit, an answer to an interaction, the list of commands."""
    judge = discords_own()
    callback = {"type": 4, "data": {"content": "queued", "components": BUTTONS}}

    assert judge.violation("POST", "/channels/1/messages", {"content": "fox", "components": BUTTONS}) is None
    assert judge.violation("PATCH", "/channels/1/messages/2", {"content": "fox"}) is None
    assert judge.violation("POST", "/interactions/1/token/callback", callback) is None
    assert judge.violation("PATCH", "/webhooks/1/token/messages/@original", {"content": "done"}) is None
    assert judge.violation("PUT", "/applications/1/commands", [COMMAND]) is None
    assert judge.violation("GET", "/gateway/bot", None) is None


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/channels/1/postings", {}),
        ("GET", "/channels/1/messages", {"content": "fox"}),
        ("POST", "/channels/1/messages", {"content": "x" * 4001}),
        ("POST", "/channels/1/messages", {"content": 7}),
        ("POST", "/channels/1/messages", {"components": [{"type": 1, "components": []}]}),
        ("POST", "/channels/1/messages", {"components": [{"type": 99}]}),
        ("POST", "/channels/1/messages", {"nonce": "x" * 26}),
        ("POST", "/channels/1/messages", {"embeds": [{}] * 11}),
        ("POST", "/interactions/1/token/callback", {"type": 77}),
        ("POST", "/interactions/1/token/callback", {"type": 8, "data": {"choices": [{}] * 26}}),
        ("PUT", "/applications/1/commands", [{**COMMAND, "description": "x" * 101}]),
        ("PUT", "/applications/1/commands", [{**COMMAND, "options": [{**OPTION, "type": 50}]}]),
        ("PUT", "/applications/1/commands", [{**COMMAND, "options": [OPTION] * 26}]),
        ("POST", "/users/@me/channels", "7"),
    ],
)
def test_what_discord_forbids_is_found(method: str, path: str, body: Any) -> None:
    """An operation that does not exist, a body where none goes, a value of another kind, too long or too many."""
    assert discords_own().violation(method, path, body) is not None
