"""/settings: what the admins of a guild decide."""

from dataclasses import replace
from pathlib import Path

import pytest

from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.community.settings import SettingsOptions, settings
from pipeline.errors import UserError
from pipeline.models.vaes import Vaes
from pipeline.requests.image_request import Scheduler
from storage.guilds.guilds import Guild, NsfwPolicy
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress
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


async def test_a_role_is_given_to_one_command_and_taken_from_it(
    context: AppContext, guild: Guild, call: CallCommand
) -> None:
    """By its name, however it is typed; when the last has gone, the command is everyone's again."""
    with pytest.raises(UserError, match="Say for which command"):
        await call("settings", admin=True, allow_role="artists")
    with pytest.raises(UserError, match="did you mean /imagine"):
        await call("settings", admin=True, command="imagin", allow_role="artists")

    await call("settings", admin=True, command="/Imagine", allow_role="artists")
    given = await context.guilds.get(guild.id)
    await call("settings", admin=True, command="imagine", forget_role="artists")
    taken = await context.guilds.get(guild.id)

    assert given is not None
    assert taken is not None
    assert given.settings.command_roles == (("imagine", ("artists",)),)
    assert taken.settings.command_roles == ()


async def test_what_is_not_named_stays(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """And a channel that is named twice stands there once."""
    await call("settings", admin=True, max_steps=30, allow_channel="art")
    await call("settings", admin=True, max_size=512, allow_channel="art")

    stored = await context.guilds.get(guild.id)
    assert stored is not None
    settings = stored.settings
    assert (settings.max_steps, settings.max_pixels, settings.allowed_channels) == (30, 512 * 512, ("art",))


async def test_the_log_goes_back_to_the_first_change(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """A page at a time."""
    for steps in range(1, 21):
        await call("settings", admin=True, max_steps=steps)

    first = await call("settings", admin=True, show="log")
    ((older,),) = first.buttons
    saved = await context.calls.get(guild.id, older.target)
    assert saved is not None
    second = await call(saved.command, admin=True, **dict(saved.values))

    assert (len(first.lines), len(second.lines), second.buttons) == (15, 5, ())
    assert second.lines[-1].endswith("max_steps: 50 → 1")


async def test_an_admin_chooses_the_samplers(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """By their names, each once; "all" takes the list away."""
    chosen = await call("settings", admin=True, samplers="LCM, euler lcm", max_count=2, max_guidance=7.5)
    with pytest.raises(UserError, match="scheduler 'karras' is unknown; choose one of: euler"):
        await call("settings", admin=True, samplers="karras")
    stored = await context.guilds.get(guild.id)
    named = await call("settings", admin=True, samplers="Euler a, DPM++ 2M Karras, heun lcm")
    assert "Samplers: euler-a, dpm++2m, heun, lcm" in named.lines
    free = await call("settings", admin=True, samplers="All")

    assert {"Most pictures at once: 2", "Most guidance: 7.5", "Samplers: lcm, euler"} <= set(chosen.lines)
    assert stored is not None
    assert stored.settings.samplers == (Scheduler.LCM, Scheduler.EULER)
    assert "Samplers: all" in free.lines


async def test_an_admin_chooses_a_vae_that_is_there(context: AppContext, guild: Guild, tmp_path: Path) -> None:
    """And takes it back by "own"."""
    (tmp_path / "sdxl").mkdir()
    (tmp_path / "sdxl" / "soft.safetensors").touch()
    context = replace(context, vaes=Vaes(folder=tmp_path))
    reply = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id="ada")
    caller = Caller(guild=guild, member=Member(id="ada", name="Ada", is_admin=True), reply=reply)

    chosen = await settings(caller, SettingsOptions(default_vae="soft"), context)
    with pytest.raises(UserError, match="There is no VAE 'mse' here"):
        await settings(caller, SettingsOptions(default_vae="mse"), context)
    fresh = await context.guilds.get(guild.id)
    assert fresh is not None
    taken = await settings(replace(caller, guild=fresh), SettingsOptions(default_vae="own"), context)

    assert "Default VAE: soft" in chosen.lines
    assert "Default VAE: of the model" in taken.lines
