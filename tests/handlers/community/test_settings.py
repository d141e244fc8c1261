"""/settings."""

import pytest

from handlers.commands.context import AppContext
from pipeline.errors import UserError
from storage.guilds.guilds import Guild, NsfwPolicy
from tests.app_contexts import CallCommand


async def test_an_admin_chooses_by_settings(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """The choice is shown in words, stored, and logged."""
    before = await call("settings", admin=True)
    saved = await call("settings", admin=True, mature="spoiler")
    log = await call("settings", admin=True, show="log")

    assert "Pictures for adults: only in age-restricted channels" in before.lines
    assert "Pictures for adults: hidden until clicked, outside age-restricted channels" in saved.lines
    stored = await context.guilds.get(guild.id)
    assert stored is not None
    assert stored.settings.nsfw is NsfwPolicy.SPOILER
    assert "nsfw: restricted → spoiler" in log.lines[0]
    with pytest.raises(UserError, match="mature"):
        await call("settings", admin=True, mature="always")
