"""The fields of a Slack app manifest that Limner writes, as a JSON schema.

After docs.slack.dev/reference/app-manifest.
"""

from typing import Any, Final


def _object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


def _text(longest: int, shortest: int = 1, **more: Any) -> dict[str, Any]:
    return {"type": "string", "minLength": shortest, "maxLength": longest, **more}


def _list(items: dict[str, Any], most: int, least: int = 1) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most, "uniqueItems": True}


_SWITCH: Final = {"type": "boolean"}
_NUMBER: Final = {"type": "integer"}
_WEB: Final = "^https?://"

_SHORTCUT: Final = _object(
    ("name", "type", "callback_id", "description"),
    name=_text(24),
    type={"enum": ["message", "global"]},
    callback_id=_text(255),
    description=_text(150),
)
_SLASH_COMMAND: Final = _object(
    ("command", "description"),
    command=_text(32, 2, pattern="^/"),
    url=_text(3000, pattern=_WEB),
    description=_text(2000),
    usage_hint=_text(1000),
    should_escape=_SWITCH,
)

MANIFEST: Final = _object(
    ("display_information",),
    _metadata=_object(major_version=_NUMBER, minor_version=_NUMBER),
    display_information=_object(
        ("name",),
        name=_text(35),
        description=_text(140),
        background_color=_text(7, 4, pattern="^#([0-9a-fA-F]{3}){1,2}$"),
        long_description=_text(4000, 175),
    ),
    features=_object(
        app_home=_object(
            home_tab_enabled=_SWITCH, messages_tab_enabled=_SWITCH, messages_tab_read_only_enabled=_SWITCH
        ),
        bot_user=_object(("display_name",), display_name=_text(80), always_online=_SWITCH),
        shortcuts=_list(_SHORTCUT, 10),
        slash_commands=_list(_SLASH_COMMAND, 50),
    ),
    oauth_config=_object(
        redirect_urls=_list(_text(2000, pattern=_WEB), 1000, 0),
        scopes=_object(bot=_list(_text(50), 255, 0)),
    ),
    settings=_object(
        event_subscriptions=_object(request_url=_text(3500, pattern=_WEB), bot_events=_list(_text(50), 100, 0)),
        interactivity=_object(
            ("is_enabled",),
            is_enabled=_SWITCH,
            request_url=_text(3500, pattern=_WEB),
            message_menu_options_url=_text(3500, pattern=_WEB),
        ),
        org_deploy_enabled=_SWITCH,
        socket_mode_enabled=_SWITCH,
        token_rotation_enabled=_SWITCH,
    ),
)
