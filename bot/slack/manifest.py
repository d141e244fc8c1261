"""The app's manifest, made from the command descriptions: pasting it at api.slack.com/apps sets up the app."""

from typing import Any, Final

from bot.slack.command_names import CommandNames, is_housekeeping
from bot.slack.context_menu import CALLBACK as USE_IMAGE
from bot.slack.context_menu import CONTROL_CALLBACK, START_CALLBACK
from handlers.commands.command import Command
from handlers.commands.groups import heads
from handlers.commands.option import Option

BOT_SCOPES: Final = (
    "app_mentions:read", "chat:write", "commands", "files:read", "files:write", "im:write", "usergroups:read",
    "users:read",
)  # fmt: skip
_EVENTS: Final = ("app_home_opened", "app_mention", "app_uninstalled", "tokens_revoked")
_HINT: Final = 1000
_DESCRIPTION: Final = 2000


def manifest(commands: tuple[Command, ...], names: CommandNames, url: str | None = None) -> dict[str, Any]:
    """For Socket Mode, or with the public `url` of this server for signed requests, OAuth and token rotation."""
    request_url = f"{url.rstrip('/')}/slack/events" if url else None
    events: dict[str, Any] = {"bot_events": list(_EVENTS)}
    interactivity: dict[str, Any] = {"is_enabled": True}
    scopes: dict[str, Any] = {"scopes": {"bot": list(BOT_SCOPES)}}
    if url and request_url:
        events["request_url"] = interactivity["request_url"] = request_url
        interactivity["message_menu_options_url"] = request_url
        scopes["redirect_urls"] = [f"{url.rstrip('/')}/slack/oauth_redirect"]
    return {
        "_metadata": {"major_version": 1, "minor_version": 1},
        "display_information": {
            "name": "Limner",
            "description": "An image studio in your workspace",
            "background_color": "#20343a",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "Limner", "always_online": True},
            "shortcuts": [
                {
                    "name": "Use this picture",
                    "type": "message",
                    "callback_id": USE_IMAGE,
                    "description": "Make it again, with changes",
                },
                {
                    "name": "Use as start image",
                    "type": "message",
                    "callback_id": START_CALLBACK,
                    "description": "Draw another picture over it",
                },
                {
                    "name": "Use as control",
                    "type": "message",
                    "callback_id": CONTROL_CALLBACK,
                    "description": "Keep its outlines, depth or pose",
                },
            ],
            "slash_commands": _slash_commands(commands, names, request_url),
        },
        "oauth_config": scopes,
        "settings": {
            "event_subscriptions": events,
            "interactivity": interactivity,
            "org_deploy_enabled": url is not None,
            "socket_mode_enabled": url is None,
            "token_rotation_enabled": url is not None,
        },
    }


def _slash_commands(commands: tuple[Command, ...], names: CommandNames, url: str | None) -> list[dict[str, Any]]:
    reach = {"url": url} if url else {}
    own = [
        {
            "command": names.slash(command.name),
            "description": command.help[:_DESCRIPTION],
            "usage_hint": _usage(command)[:_HINT],
            "should_escape": False,
            **reach,
        }
        for command in heads(commands)
        if not is_housekeeping(command)
    ]
    words = " | ".join(command.name for command in heads(commands))
    umbrella = {
        "command": names.umbrella, "description": "Everything that Limner does", "usage_hint": words[:_HINT],
        "should_escape": True, **reach,  # settings name channels, whose ids Slack sends only when asked to
    }  # fmt: skip
    return [*own, umbrella]


def _usage(command: Command) -> str:
    if command.actions:
        return " | ".join(str(action.action) for action in command.actions)
    rest = [f"[{command.rest.name}]"] if command.rest else []
    return " ".join([*rest, *(_flag(option) for option in command.options if not (option.rest or option.advanced))])


def _flag(option: Option) -> str:
    return f"[--{option.flag or option.name}]"
