"""Fixtures of the image commands' tests."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from handlers.commands.context import AppContext
from pipeline.images.upscalers import Upscalers
from storage.guilds.guilds import Guild
from tests.app_contexts import CallCommand
from tests.fakes import FakeChat, FakeClock, FakeDevice
from tests.handlers.images.control_person import Person
from tests.pool import rendering


@pytest.fixture
async def ada(context: AppContext, guild: Guild, clock: FakeClock, call: CallCommand) -> AsyncIterator[Person]:
    device = FakeDevice()
    async with rendering(context, device):
        yield Person(context=context, guild=guild, clock=clock, device=device, call=call, chat=FakeChat())


@pytest.fixture
def context(context: AppContext, tmp_path: Path) -> AppContext:
    return replace(context, upscalers=Upscalers(folder=tmp_path / "upscalers"))
