"""The Bolt app: which payload goes to which listener."""

import logging
import re
from collections.abc import Awaitable, Callable
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
from bot.slack.context_menu import CONTROL_CALLBACK, START_CALLBACK, ImageMenu
from bot.slack.deduplication import PayloadDeduplication
from bot.slack.home import HomeTab
from bot.slack.inbox import NotStored, SlackInbox, is_resumed
from bot.slack.interaction import SlackInteraction
from bot.slack.interactions import Ack, Body, SlackInteractionHandler
from bot.slack.modal import CALLBACK, OPTION_ACTION
from bot.slack.signed_requests import WRONG_SHAPE
from bot.slack.tenant import Tenant
from bot.slack.uninstall import Uninstall
from bot.slack.workspaces import NotInstalled, Workspaces
from handlers.commands.command import Command
from handlers.commands.groups import heads

_log = logging.getLogger(__name__)

_Listener = Callable[[Ack, Body], Awaitable[None]]


class Authorize(AsyncAuthorize):
    """Tells Bolt who we are in the workspace of a request; it makes no request, since Slack waits three seconds."""

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
        """Who we are there; nobody where we are not installed, which the listeners answer in a sentence."""
        org_id = enterprise_id if context.is_enterprise_install else None
        try:
            identity = await self._workspaces.identity(Tenant(team_id=team_id or "", org_id=org_id))
        except NotInstalled:
            return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, user_id=user_id)
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=team_id,
            user_id=user_id,
            bot_id=identity.bot_id,
            bot_user_id=identity.user_id,
            bot_token=identity.token,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """All that listens to payloads, and what deciding between them needs."""

    interactions: SlackInteractionHandler
    home: HomeTab
    image_menu: ImageMenu
    uninstall: Uninstall
    names: CommandNames
    commands: tuple[Command, ...]
    deduplication: PayloadDeduplication
    inbox: SlackInbox


def bolt_app(listeners: Listeners, workspaces: Workspaces, client: AsyncWebClient, signing_secret: str) -> AsyncApp:
    """An app that verifies signatures and passes each payload once to its listener."""
    app = AsyncApp(
        name="limner",
        logger=_log,
        client=client,
        signing_secret=signing_secret,
        authorize=Authorize(workspaces),  # type: ignore[arg-type] # Bolt takes an AsyncAuthorize, and says so only in its code
    )

    async def hear_once(body: Body, next: Callable[[], Awaitable[Any]]) -> BoltResponse | None:  # noqa: A002 - Bolt's name
        if not (is_resumed() or listeners.deduplication.is_new(body)):
            return BoltResponse(status=200)
        try:
            if not await listeners.inbox.store(body):
                return BoltResponse(status=200)
        except NotStored:
            if not SlackInteraction.of(body).user_id:  # nobody can be told, and Slack sends it again
                listeners.deduplication.forget(body)
                return BoltResponse(status=503)
        await next()
        return None

    async def failed(error: Exception) -> BoltResponse:
        _log.error("a payload could not be handled", exc_info=error)
        return BoltResponse(status=400 if isinstance(error, WRONG_SHAPE) else 500)

    app.error(failed)
    app.middleware(hear_once)
    _listen_to_commands(app, listeners)
    app.action(re.compile(f"^{OPEN_FORM}:"))(listeners.interactions.open_form)
    # Any other: it reads the ids that are ours, and says of all others that they are not.
    app.action(re.compile(""))(_kept(listeners, listeners.interactions.button))
    app.options(re.compile(f"^{OPTION_ACTION}:"))(listeners.interactions.suggest)
    # A form is answered after the work, since the answer says what is wrong; Slack never sends one twice.
    app.view(CALLBACK)(_kept(listeners, listeners.interactions.submission))
    app.message_shortcut(USE_IMAGE)(listeners.image_menu.used)
    app.message_shortcut(START_CALLBACK)(listeners.image_menu.begun)
    app.message_shortcut(CONTROL_CALLBACK)(listeners.image_menu.followed)
    app.event("app_mention")(_kept(listeners, listeners.interactions.mention))
    app.event("app_home_opened")(listeners.home.opened)
    app.event("app_uninstalled")(_kept(listeners, listeners.uninstall.uninstalled))
    app.event("tokens_revoked")(_kept(listeners, listeners.uninstall.revoked))
    return app


def _listen_to_commands(app: AsyncApp, listeners: Listeners) -> None:
    app.command(listeners.names.umbrella)(_kept(listeners, listeners.interactions.umbrella))
    for head in heads(listeners.commands):
        if not is_housekeeping(head):
            app.command(listeners.names.slash(head.name))(_kept(listeners, _listener(listeners.interactions, head)))


def _listener(interactions: SlackInteractionHandler, head: Command) -> _Listener:
    async def heard(ack: Ack, body: Body) -> None:
        await interactions.command(ack, body, head)

    return heard


def _kept(listeners: Listeners, listener: _Listener) -> _Listener:
    """A listener to payloads that are kept until they are answered."""

    async def heard(ack: Ack, body: Body) -> None:
        try:
            async with listeners.inbox.handling():
                await listener(ack, body)
        except NotStored as error:
            await ack()
            await listeners.interactions.refuse(body, str(error))

    return heard
