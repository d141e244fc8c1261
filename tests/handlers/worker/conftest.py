"""Fixtures of the worker's tests."""

import pytest

from handlers.commands.context import AppContext
from storage.guilds.guilds import Guild
from tests.handlers.worker.shifts import Shift


@pytest.fixture
def shift(context: AppContext, guild: Guild) -> Shift:
    return Shift(context=context, guild=guild)
