"""The Slack app of this process, opened from the settings: delivery, HTTP routes and the WebSocket."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, assert_never

import aiohttp
from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from bot.assembly.http_edge import refuse_expectation
from bot.assembly.runtime import Runtime, open_encryption
from bot.assembly.settings import Settings
from bot.slack.answers import Answers
from bot.slack.application import Application
from bot.slack.attachments import SLACK_FILES, Attachments
from bot.slack.bolt_app import Listeners, bolt_app
from bot.slack.chat_platform import SlackPlatform
from bot.slack.client import RateLimitedClient, retry_handlers
from bot.slack.command_names import CommandNames
from bot.slack.context_menu import ImageMenu
from bot.slack.deduplication import PayloadDeduplication
from bot.slack.errors import FAULTS, join_error
from bot.slack.guilds import SlackGuilds
from bot.slack.home import HomeTab
from bot.slack.inbox import SlackInbox
from bot.slack.installations import EncryptedInstallationStore
from bot.slack.interactions import SlackInteractionHandler
from bot.slack.members import Members
from bot.slack.oauth import INSTALL_PATH, REDIRECT_PATH, EncryptedStates, oauth_flow
from bot.slack.pending_uploads import PendingUploads
from bot.slack.permalinks import Permalinks
from bot.slack.rate_limit import RateLimit
from bot.slack.rendering import Renderer
from bot.slack.signed_requests import SignedEdge, open_route
from bot.slack.socket import Socket
from bot.slack.tenant import Tenant
from bot.slack.transport import Distributed, SignedRequests, SocketMode, Transport
from bot.slack.uninstall import Uninstall
from bot.slack.uploads import Uploads
from bot.slack.workspaces import ManyWorkspaces, OneWorkspace, Workspaces
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from pipeline.supervisor import Supervisor
from storage.guilds.installations import Installations
from storage.platform import Platform

_log = logging.getLogger(__name__)

EVENTS_PATH: Final = "/slack/events"
_BOT_REFUSED: Final = (
    "Slack refused SLACK_BOT_TOKEN ({code}); install the app in the workspace again and copy the token (docs/slack.md)."
)


@dataclass(slots=True, kw_only=True)
class SlackApp:
    """`chat` delivers; `routes` answer Slack's requests; `listening` holds the WebSocket where there is one."""

    chat: SlackPlatform
    routes: tuple[web.RouteDef, ...]
    workspaces: Workspaces
    guilds: SlackGuilds
    _socket: Socket | None
    _supervisor: Supervisor

    async def log_in(self) -> None:
        """Show Slack the tokens of the settings; raises LoginRefused, or UserError where it may pass.

        A workspace that installed the app again after it had removed it is connected by that.
        """
        if isinstance(self.workspaces, OneWorkspace):
            try:
                identity = await self.workspaces.identity(Tenant(team_id=""))
            except FAULTS as error:
                raise join_error(error, _BOT_REFUSED) from error
            if self.chat.application_id:
                await self.guilds.meet(Tenant(team_id=identity.team_id), self.chat.application_id)
        if self._socket is not None:
            await self._socket.open()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Receive interactions until the block ends; while Slack does not answer, keep reconnecting."""
        if self._socket is None:
            yield
            return
        connecting = self._supervisor.start("the WebSocket to Slack", self._socket.connect)
        try:
            yield
        finally:
            await self._socket.close()
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)

    async def check(self) -> str | None:
        """What is missing before members are heard, for /readyz."""
        return None if self._socket is None else await self._socket.check()


@asynccontextmanager
async def running_slack(chosen: Transport, settings: Settings, runtime: Runtime) -> AsyncIterator[SlackApp]:
    """Join Slack and listen until the block ends; raises LoginRefused, or UserError where it may pass."""
    async with open_slack(chosen, settings, runtime) as app:
        await app.log_in()
        async with app.listening():
            yield app


@asynccontextmanager
async def open_slack(chosen: Transport, settings: Settings, runtime: Runtime) -> AsyncIterator[SlackApp]:
    """Slack over the chosen transport, not yet asked for anything; raises UserError."""
    context = runtime.context
    names = parse_names(settings, context.commands)
    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient(base_url=settings.slack_api_base, session=session, retry_handlers=retry_handlers())
        workspaces = await _workspaces(chosen, settings, runtime, client, session)
        application = await _application(chosen, workspaces)
        guilds = SlackGuilds(context=context, members=Members(workspaces=workspaces), application=application)
        chat = SlackPlatform(
            workspaces=workspaces,
            outbox=context.outbox,
            pending=PendingUploads(notes=context.notes),
            renderer=Renderer(names=names, commands=context.commands),
            uploads=Uploads(session),
            application=application,
        )
        listeners = _listeners(guilds, workspaces, chat, session, settings)
        secret = "" if isinstance(chosen, SocketMode) else chosen.signing_secret
        app = bolt_app(listeners, workspaces, client, secret)
        routes: tuple[web.RouteDef, ...] = ()
        socket: Socket | None = None
        if isinstance(chosen, SocketMode):
            socket = Socket(app, client, chosen.app_token)
        else:
            routes = _routes(app, _flow(chosen, guilds, workspaces, runtime, client), chosen.signing_secret)
        resuming = _resuming(runtime, listeners, app)
        try:
            yield SlackApp(
                chat=chat,
                routes=routes,
                workspaces=workspaces,
                guilds=guilds,
                _socket=socket,
                _supervisor=runtime.supervisor,
            )
        finally:
            await context.inbox.finish()
            resuming.cancel()
            await asyncio.gather(resuming, return_exceptions=True)
            if socket is not None:
                await socket.close()
            await chat.close()


def parse_names(settings: Settings, commands: tuple[Command, ...]) -> CommandNames:
    """What the commands are called in Slack; raises UserError where the settings name them wrongly."""
    return CommandNames.parse(settings.slack_command_prefix, settings.slack_command_names, commands)


def _resuming(runtime: Runtime, listeners: Listeners, app: AsyncApp) -> asyncio.Task[None]:
    """Take up again and again what nobody answers."""
    stale = runtime.settings.stale_seconds
    resume = partial(listeners.inbox.resume, app.async_dispatch, listeners.interactions.refuse, stale)
    return runtime.supervisor.repeat("what members on Slack wait for", stale / 2, resume)


async def _workspaces(
    chosen: Transport, settings: Settings, runtime: Runtime, client: AsyncWebClient, session: aiohttp.ClientSession
) -> Workspaces:
    def new_client(rate_limit: RateLimit, token: str | None = None) -> RateLimitedClient:
        return RateLimitedClient(token=token, base_url=settings.slack_api_base, session=session, rate_limit=rate_limit)

    if not isinstance(chosen, Distributed):
        return OneWorkspace(new_client(RateLimit(), chosen.bot_token))
    installations = Installations(runtime.database, chosen.client_id)
    store = EncryptedInstallationStore(installations, open_encryption(settings))
    rotator = AsyncTokenRotator(client_id=chosen.client_id, client_secret=chosen.client_secret, client=client)
    warn = partial(_warn_admins, runtime.context)
    many = ManyWorkspaces(store=store, rotator=rotator, new_client=new_client, warn=warn)
    await many.remember_all()
    return many


async def _application(chosen: Transport, workspaces: Workspaces) -> Application:
    """The Slack app that we are, as far as it is known before Slack sends anything."""
    application = Application()
    if isinstance(chosen, SocketMode):
        application.learn_from_token(chosen.app_token)
    if isinstance(workspaces, ManyWorkspaces):
        application.learn(next((bot.app_id for bot in await workspaces.store.bots()), None))
    return application


def _flow(
    chosen: Transport, guilds: SlackGuilds, workspaces: Workspaces, runtime: Runtime, client: AsyncWebClient
) -> AsyncOAuthFlow | None:
    """What installs us in further workspaces, where the transport is for many."""
    if not isinstance(chosen, Distributed) or not isinstance(workspaces, ManyWorkspaces):
        return None
    states = EncryptedStates(open_encryption(runtime.settings), runtime.database.now)
    return oauth_flow(chosen, workspaces.store, states, client, guilds)


async def _warn_admins(context: AppContext, tenant: Tenant, why: str) -> None:
    for guild in await context.guilds.all(Platform.SLACK):
        if guild.external_id == tenant.team_id:
            await context.audit.record_daily(guild.id, "Limner", "token", why)


def _listeners(
    guilds: SlackGuilds, workspaces: Workspaces, chat: SlackPlatform, session: aiohttp.ClientSession, settings: Settings
) -> Listeners:
    context = guilds.context
    answers = Answers(workspaces=workspaces, chat=chat, session=session)
    attachments = Attachments(session=session, origin=files_origin(settings.slack_api_base))
    interactions = SlackInteractionHandler(
        context=context, guilds=guilds, answers=answers, workspaces=workspaces, chat=chat, attachments=attachments
    )
    return Listeners(
        interactions=interactions,
        home=HomeTab(
            context=context,
            guilds=guilds,
            workspaces=workspaces,
            interactions=interactions,
            permalinks=Permalinks(notes=context.notes),
        ),
        image_menu=ImageMenu(
            workspaces=workspaces, answers=answers, interactions=interactions, attachments=attachments
        ),
        uninstall=Uninstall(guilds=guilds, workspaces=workspaces),
        names=chat.renderer.names,
        commands=context.commands,
        deduplication=PayloadDeduplication(),
        inbox=SlackInbox(inbox=context.inbox, application=guilds.application),
    )


def files_origin(api_base: str) -> str:
    """The origin of files: Slack's file host, or the host of the other API that the settings name."""
    origin, _, _ = api_base.partition("/api")
    return SLACK_FILES if origin == "https://slack.com" else origin


def route_paths(chosen: Transport) -> tuple[tuple[str, str], ...]:
    """The methods and paths at which Slack, or a browser that installs us, will ask."""
    match chosen:
        case SocketMode():
            return ()
        case SignedRequests():
            return (("POST", EVENTS_PATH),)
        case Distributed():
            return (("POST", EVENTS_PATH), ("GET", INSTALL_PATH), ("GET", REDIRECT_PATH))
        case _:
            assert_never(chosen)


def _routes(app: AsyncApp, flow: AsyncOAuthFlow | None, signing_secret: str) -> tuple[web.RouteDef, ...]:
    edge = SignedEdge(secret=signing_secret, answer=app.async_dispatch)
    routes = [web.post(EVENTS_PATH, edge.handle, expect_handler=refuse_expectation)]
    if flow is not None:
        for path, answer in ((INSTALL_PATH, flow.handle_installation), (REDIRECT_PATH, flow.handle_callback)):
            routes.append(web.get(path, open_route(answer), expect_handler=refuse_expectation))
    return tuple(routes)
