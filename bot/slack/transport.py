"""How Slack reaches us, decided by which settings are present."""

from dataclasses import dataclass

from bot.assembly.settings import Settings
from pipeline.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketMode:
    """One workspace over a WebSocket that we open: no inbound port."""

    bot_token: str
    app_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequests:
    """One workspace that sends us signed requests."""

    bot_token: str
    signing_secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Distributed:
    """Any number of workspaces, each of which installs us by OAuth and sends us signed requests."""

    signing_secret: str
    client_id: str
    client_secret: str


Transport = SocketMode | SignedRequests | Distributed


def transport(settings: Settings) -> Transport | None:
    """The transport that the settings ask for, None without any; raises UserError naming what is missing."""
    bot, app = _text(settings.slack_bot_token), _text(settings.slack_app_token)
    signing = _text(settings.slack_signing_secret)
    client_id, client_secret = settings.slack_client_id or "", _text(settings.slack_client_secret)
    if bot and app:
        return SocketMode(bot_token=bot, app_token=app)
    if signing and client_id and client_secret:
        return Distributed(signing_secret=signing, client_id=client_id, client_secret=client_secret)
    if bot and signing:
        return SignedRequests(bot_token=bot, signing_secret=signing)
    if not any((bot, app, signing, client_id, client_secret)):
        return None
    if bot or app:
        missing = "SLACK_BOT_TOKEN" if app else "SLACK_APP_TOKEN"
        raise UserError(f"{missing} is not set; one workspace over Socket Mode needs it (docs/slack.md).")
    wanted = {
        "SLACK_SIGNING_SECRET": signing, "SLACK_CLIENT_ID": client_id, "SLACK_CLIENT_SECRET": client_secret,
    }  # fmt: skip
    names = " and ".join(name for name, value in wanted.items() if not value)
    raise UserError(f"{names} not set; serving many workspaces needs them (docs/slack.md).")


def _text(secret: object) -> str:
    """A secret's text; settings wrap secrets so that they are not printed."""
    return secret.get_secret_value() if hasattr(secret, "get_secret_value") else ""
