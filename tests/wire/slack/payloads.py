"""What Slack sends, in the documented shape of each kind: every key, with values that a test replaces.

The shapes are those of docs.slack.dev/interactivity/implementing-slash-commands,
docs.slack.dev/reference/interaction-payloads and docs.slack.dev/apis/events-api.
"""

from copy import deepcopy
from typing import Any, Final

_TEAM: Final = {"id": "TFOX", "domain": "pixels", "enterprise_id": "EORG", "enterprise_name": "Org"}
_USER: Final = {"id": "UADA", "username": "ada", "name": "ada", "team_id": "TFOX"}
_ORG: Final = {"enterprise": None, "is_enterprise_install": False}
_SIGNED: Final = {"api_app_id": "A111", "token": "not-used"}
_VIEW: Final[dict[str, Any]] = {
    "id": "VFORM", "team_id": "TFOX", "type": "modal", "blocks": [], "private_metadata": "", "callback_id": "form",
    "state": {"values": {}}, "hash": "1.form", "title": {"type": "plain_text", "text": "Form"},
    "clear_on_close": False, "notify_on_close": False, "close": None, "submit": None, "previous_view_id": None,
    "root_view_id": "VFORM", "app_id": "A111", "external_id": "", "app_installed_team_id": "TFOX", "bot_id": "BFOX",
}  # fmt: skip

_PAYLOADS: Final[dict[str, dict[str, Any]]] = {
    "slash_command": {
        "token": "not-used", "team_id": "TFOX", "team_domain": "pixels", "channel_id": "CGEN",
        "channel_name": "general", "user_id": "UADA", "user_name": "ada", "command": "/imagine", "text": "",
        "enterprise_id": "EORG", "enterprise_name": "Org", "response_url": "", "trigger_id": "",
        "is_enterprise_install": "false", "api_app_id": "A111",
    },
    "block_actions": {
        "type": "block_actions", **_SIGNED, **_ORG, "user": _USER, "team": _TEAM, "trigger_id": "", "response_url": "",
        "container": {}, "channel": {"id": "CGEN", "name": "general"}, "message": {}, "actions": [],
    },
    "view_submission": {
        "type": "view_submission", **_SIGNED, **_ORG, "user": _USER, "team": _TEAM, "trigger_id": "", "view": _VIEW,
        "response_urls": [],
    },
    "block_suggestion": {
        "type": "block_suggestion", **_SIGNED, **_ORG, "user": _USER, "team": _TEAM, "container": {}, "action_id": "",
        "block_id": "", "value": "", "view": _VIEW,
    },
    "message_action": {
        "type": "message_action", **_ORG, "token": "not-used", "action_ts": "1.5", "user": _USER, "team": _TEAM,
        "channel": {"id": "CGEN", "name": "general"}, "callback_id": "", "trigger_id": "", "response_url": "",
        "message_ts": "1.0", "message": {},
    },
    "event_callback": {
        "type": "event_callback", **_SIGNED, "team_id": "TFOX", "enterprise_id": None, "event": {},
        "event_id": "", "event_time": 0, "authorizations": [], "is_ext_shared_channel": False,
        "event_context": "1-fox",
    },
}  # fmt: skip


def payload(kind: str, **changes: Any) -> dict[str, Any]:
    """A payload of a kind with some of its values replaced; a key that Slack does not send is refused."""
    made = deepcopy(_PAYLOADS[kind])
    foreign = changes.keys() - made.keys()
    assert not foreign, f"Slack's {kind} has no {foreign}"
    return made | changes
