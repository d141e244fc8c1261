"""`limner doctor`: each thing that is needed, found or missing, and what to do."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

from yarl import URL

from bot.assembly.diagnostics import Observation
from bot.assembly.health import open_port
from bot.assembly.runtime import open_devices
from bot.assembly.settings import Settings
from bot.slack.transport import transport
from handlers.worker.device import Device
from pipeline.errors import UserError
from pipeline.images.upscalers import Upscalers
from pipeline.models.source import ModelSource
from pipeline.requests.device_messages import Lost, Ready
from storage.database import Database, migration_state

_MIGRATE: Final = "run: limner migrate"
_SEE_LOG: Final = "the log of limner serve says more"
_READINESS_SECONDS: Final = 5.0


class Verdict(Enum):
    """How a thing was found; the value is its symbol."""

    FOUND = "✓"
    MISSING = "✗"
    UNUSED = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report: what was checked, how it was found, and what to do where it is missing."""

    name: str
    verdict: Verdict
    words: str
    advice: str = ""


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Check everything in turn, the quick things first."""
    yield _data_folder(settings)
    yield await _database(settings)
    async for finding in _port(settings):
        yield finding
    for model in settings.models:
        yield _model(model)
    for device in open_devices(settings):
        yield await _device(device)
    yield _upscaler(settings)
    async for finding in _discord(settings):
        yield finding
    async for finding in _slack(settings):
        yield finding


async def _discord(settings: Settings) -> AsyncIterator[Finding]:
    if settings.discord_token is None:
        yield Finding(name="discord", verdict=Verdict.UNUSED, words="not configured (docs/discord.md)")
        return
    from bot.discord.diagnostics import examine_discord  # noqa: PLC0415 - only those who use Discord wait for it

    async for observation in examine_discord(settings):
        yield _finding("discord", observation)


async def _slack(settings: Settings) -> AsyncIterator[Finding]:
    try:
        chosen = transport(settings)
    except UserError as error:
        yield Finding(name="slack", verdict=Verdict.MISSING, words="not configured", advice=str(error))
        return
    if chosen is None:
        yield Finding(name="slack", verdict=Verdict.UNUSED, words="not configured (docs/slack.md)")
        return
    from bot.slack.diagnostics import examine_slack  # noqa: PLC0415 - only those who use Slack wait for it

    async for observation in examine_slack(chosen, settings):
        yield _finding("slack", observation)


def _finding(name: str, observation: Observation) -> Finding:
    verdict = Verdict.MISSING if observation.advice else Verdict.FOUND
    return Finding(name=name, verdict=verdict, words=observation.words, advice=observation.advice)


def _data_folder(settings: Settings) -> Finding:
    folder = settings.data
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if os.access(nearest, os.W_OK):
        return Finding(name="data", verdict=Verdict.FOUND, words=str(folder))
    advice = "set LIMNER_DATA to a folder that this user may write to"
    return Finding(name="data", verdict=Verdict.MISSING, words=f"{folder} cannot be written", advice=advice)


async def _database(settings: Settings) -> Finding:
    kind = urlsplit(settings.database_url).scheme.partition("+")[0]
    if settings.database is None and not settings.data.exists():
        return Finding(name="database", verdict=Verdict.MISSING, words=f"{kind}, not made yet", advice=_MIGRATE)
    try:
        state = await migration_state(settings.database_url)
        if state.current != state.head:
            words = f"{kind}, migrations not up to date"
            return Finding(name="database", verdict=Verdict.MISSING, words=words, advice=_MIGRATE)
        database = await Database.open(settings.database_url)
        try:
            size = await database.size()
        finally:
            await database.close()
    except UserError as error:
        return Finding(name="database", verdict=Verdict.MISSING, words=kind, advice=str(error))
    return Finding(
        name="database", verdict=Verdict.FOUND, words=f"{kind}, {size / 2**20:.1f} MB, migrations up to date"
    )


async def _port(settings: Settings) -> AsyncIterator[Finding]:
    """Whether the port is free; where a `limner serve` has it, what that lacks."""
    words = f"{settings.host or 'all addresses'}, port {settings.port or 'any that is free'}"
    try:
        for listener in open_port(settings.host, settings.port):
            listener.close()
    except UserError as error:
        if (missing := await _readiness(settings)) is None:
            yield Finding(name="port", verdict=Verdict.MISSING, words=words, advice=str(error))
            return
        yield Finding(name="port", verdict=Verdict.FOUND, words=f"{words}: limner serve is running")
        for name, why in missing.items():
            yield Finding(name="serve", verdict=Verdict.MISSING, words=f"{name}: {why}", advice=_SEE_LOG)
    else:
        yield Finding(name="port", verdict=Verdict.FOUND, words=words)


async def _readiness(settings: Settings) -> dict[str, str] | None:
    """What the `limner serve` at the port says that it lacks; None where none answers there."""
    import aiohttp  # noqa: PLC0415 - only where something listens

    host = "127.0.0.1" if settings.host in {"", "0.0.0.0", "::"} else settings.host  # noqa: S104 - none is opened
    timeout = aiohttp.ClientTimeout(total=_READINESS_SECONDS)
    try:
        url = URL.build(scheme="http", host=host, port=settings.port, path="/readyz")
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
            missing = (await answer.json())["missing"]
            return {str(name): str(why) for name, why in missing.items()}
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _model(model: str) -> Finding:
    try:
        facts = ModelSource.parse(model).facts()
    except UserError as error:
        return Finding(name="model", verdict=Verdict.MISSING, words=model, advice=str(error))
    words = f"{facts.name} ({facts.family.value}, {facts.width}×{facts.height}) @ {facts.hash}"
    return Finding(name="model", verdict=Verdict.FOUND, words=words)


def _upscaler(settings: Settings) -> Finding:
    first, *others = Upscalers(folder=settings.upscalers).names()
    words = f"{first}; members may also choose {', '.join(others)}"
    return Finding(name="upscaler", verdict=Verdict.FOUND, words=words)


async def _device(device: Device) -> Finding:
    """Start the device for real and read its own description."""
    await device.start()
    try:
        async for event in device.events():
            if isinstance(event, Ready):
                return Finding(name="device", verdict=Verdict.FOUND, words=event.description)
            if isinstance(event, Lost):
                break
        else:
            event = Lost(why="it ended without a word")
    finally:
        await device.close()
    advice = f"{event.why}; check LIMNER_DEVICES and LIMNER_MODEL"
    return Finding(name="device", verdict=Verdict.MISSING, words=device.name, advice=advice)
