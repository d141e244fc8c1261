"""The Bolt app: which payload goes to which listener."""

import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.answers import OPEN_FORM
from bot.slack.command_names import CommandNames, is_housekeeping
from bot.slack.context_menu import CALLBACK as USE_IMAGE
from bot.slack.context_menu import CONTROL_CALLBACK, START_CALLBACK, ImageShortcut
from bot.slack.deduplication import Once
from bot.slack.home import HomeTab
from bot.slack.interactions import Ack, Body, Listeners
from bot.slack.modal import CALLBACK, OPTION_ACTION
from bot.slack.tenant import Tenant
from bot.slack.uninstall import Removal
from bot.slack.workspaces import NotInstalled, Workspaces
from handlers.commands.command import Command
from handlers.commands.groups import heads

_log = logging.getLogger(__name__)

_Listener = Callable[[Ack, Body], Awaitable[None]]

NOT_INSTALLED = "Limner is no longer installed in this workspace; ask an admin to install it again."


class Authorize(AsyncAuthorize):
    """Tells Bolt who we are in the workspace of a request; calls nobody, for Slack waits three seconds."""

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces

    async def __call__(
        self,
        *,
        context: AsyncBoltContext,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None,
        actor_enterprise_id: str | None = None,  # noqa: ARG002 - Bolt's signature
        actor_team_id: str | None = None,  # noqa: ARG002 - Bolt's signature
        actor_user_id: str | None = None,  # noqa: ARG002 - Bolt's signature
    ) -> AuthorizeResult | None:
        """Who we are there, or None where nobody installed us."""
        org_id = enterprise_id if context.is_enterprise_install else None
        try:
            identity = await self._workspaces.identity(Tenant(team_id=team_id or "", org_id=org_id))
        except NotInstalled:
            return None
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=team_id,
            user_id=user_id,
            bot_id=identity.bot_id,
            bot_user_id=identity.user_id,
            bot_token=identity.token,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionHandler:
    """Everyone who listens."""

    listeners: Listeners
    home: HomeTab
    shortcut: ImageShortcut
    removal: Removal
    names: CommandNames
    commands: tuple[Command, ...]
    once: Once


class _HeardBefore(Exception):
    """Another process, or this one before it was started anew, has heard the payload."""


def bolt_app(desk: InteractionHandler, workspaces: Workspaces, client: AsyncWebClient, signing_secret: str) -> AsyncApp:
    """An app that verifies signatures, hears each payload once and passes it to its listener."""
    app = AsyncApp(
        name="limner",
        logger=_log,
        client=client,
        signing_secret=signing_secret,
        authorize=Authorize(workspaces),  # type: ignore[arg-type] # Bolt takes an AsyncAuthorize, and says so only in its code
        user_facing_authorize_error_message=NOT_INSTALLED,
    )

    async def hear_once(body: Body, next: Callable[[], Awaitable[Any]]) -> BoltResponse | None:  # noqa: A002 - Bolt's name
        if not desk.once.is_new(body):
            return BoltResponse(status=200)
        await next()
        return None

    app.middleware(hear_once)
    _listen_to_commands(app, desk)
    app.action(re.compile(r"^v\d+:"))(_first(desk, desk.listeners.button))
    app.action(re.compile(f"^{OPEN_FORM}:"))(desk.listeners.open_form)
    app.options(re.compile(f"^{OPTION_ACTION}:"))(desk.listeners.suggest)
    # A form is answered after the work, since what is wrong stands in the answer; Slack never sends one twice.
    app.view(CALLBACK)(desk.listeners.submission)
    app.message_shortcut(USE_IMAGE)(desk.shortcut.used)
    app.message_shortcut(START_CALLBACK)(desk.shortcut.begun)
    app.message_shortcut(CONTROL_CALLBACK)(desk.shortcut.followed)
    app.event("app_mention")(_first(desk, desk.listeners.mention))
    app.event("app_home_opened")(desk.home.opened)
    app.event("app_uninstalled")(desk.removal.uninstalled)
    app.event("tokens_revoked")(desk.removal.revoked)
    return app


def _listen_to_commands(app: AsyncApp, desk: InteractionHandler) -> None:
    app.command(desk.names.umbrella)(_first(desk, desk.listeners.umbrella))
    for head in heads(desk.commands):
        if not is_housekeeping(head):
            app.command(desk.names.slash(head.name))(_first(desk, _listener(desk.listeners, head)))


def _listener(listeners: Listeners, head: Command) -> _Listener:
    async def heard(ack: Ack, body: Body) -> None:
        await listeners.command(ack, body, head)

    return heard


def _first(desk: InteractionHandler, listener: _Listener) -> _Listener:
    """A listener that acknowledges whatever comes, and goes on only with what was never heard before."""

    async def heard(ack: Ack, body: Body) -> None:
        async def acknowledge(**answer: Any) -> None:
            await ack(**answer)
            if not await desk.once.is_first(body):
                raise _HeardBefore

        with suppress(_HeardBefore):
            await listener(acknowledge, body)

    return heard
