"""What `limner doctor` checks on Slack: the tokens, and the scopes that each workspace lacks."""

from collections.abc import AsyncIterator

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.assembly.diagnostics import Observation
from bot.assembly.runtime import open_encryption
from bot.assembly.settings import Settings
from bot.slack.client import retry_handlers
from bot.slack.errors import code_of
from bot.slack.installations import EncryptedInstallationStore
from bot.slack.manifest import BOT_SCOPES
from bot.slack.transport import Distributed, SocketMode, Transport
from pipeline.errors import UserError
from storage.database import Database
from storage.guilds.installations import Installations


async def examine_slack(chosen: Transport, settings: Settings) -> AsyncIterator[Observation]:
    """Check each token."""
    async with aiohttp.ClientSession() as session:

        def client(token: str) -> AsyncWebClient:
            handlers = retry_handlers()
            return AsyncWebClient(
                token=token, base_url=settings.slack_api_base, session=session, retry_handlers=handlers
            )

        if isinstance(chosen, SocketMode):
            yield await _app_token(client(chosen.app_token))
        if not isinstance(chosen, Distributed):
            yield await _bot_token(client(chosen.bot_token), "SLACK_BOT_TOKEN")
            return
        try:
            tokens = await _installed(chosen, settings)
        except UserError as error:
            yield Observation(words="installations cannot be read", advice=str(error))
            return
        if not tokens:
            yield Observation(words="no workspace has installed it yet: open /slack/install in a browser")
        for name, token in tokens:
            yield await _bot_token(client(token), name)


async def _installed(chosen: Distributed, settings: Settings) -> list[tuple[str, str]]:
    database = await Database.open(settings.database_url)
    try:
        installations = Installations(database, chosen.client_id)
        bots = await EncryptedInstallationStore(installations, open_encryption(settings)).bots()
    finally:
        await database.close()
    return [(bot.team_name or bot.enterprise_name or bot.team_id or "?", bot.bot_token) for bot in bots]


async def _app_token(client: AsyncWebClient) -> Observation:
    try:
        await client.apps_connections_open(app_token=client.token or "")
    except SlackApiError as error:
        advice = "make a token with connections:write: api.slack.com/apps, Basic Information, App-Level Tokens"
        return Observation(words=f"SLACK_APP_TOKEN was refused ({code_of(error)})", advice=advice)
    except (SlackClientError, aiohttp.ClientError, TimeoutError) as error:
        return _unreachable(client, error)
    return Observation(words="Socket Mode connects")


async def _bot_token(client: AsyncWebClient, name: str) -> Observation:
    try:
        answer = await client.auth_test()
    except SlackApiError as error:
        advice = "install the app in the workspace again (docs/slack.md)"
        return Observation(words=f"{name}: the token was refused ({code_of(error)})", advice=advice)
    except (SlackClientError, aiohttp.ClientError, TimeoutError) as error:
        return _unreachable(client, error)
    granted = {scope.strip() for scope in answer.headers.get("x-oauth-scopes", "").split(",")}
    missing = [scope for scope in BOT_SCOPES if scope not in granted]
    if missing:
        advice = "add them at api.slack.com/apps, OAuth & Permissions, then install the app again"
        return Observation(words=f'workspace "{answer["team"]}": missing {", ".join(missing)}', advice=advice)
    return Observation(words=f'token valid, workspace "{answer["team"]}", all scopes granted')


def _unreachable(client: AsyncWebClient, error: Exception) -> Observation:
    words = f"{client.base_url} does not answer ({type(error).__name__})"
    return Observation(words=words, advice="check this machine's network and SLACK_API_BASE")
