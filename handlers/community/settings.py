"""/settings: what the admins of a guild decide, and the log of who decided it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from handlers.commands.call import Caller
from handlers.commands.command import Audience, Command
from handlers.commands.context import AppContext
from handlers.commands.forms import call_button
from handlers.commands.option import Completion, Details
from handlers.commands.options import ChannelId, MemberId, Options, RoleId
from handlers.messages.message import Button, Message, PointedKind, Pointers
from pipeline.errors import InvalidRequest
from pipeline.models.vaes import OWN
from pipeline.requests.image_request import (
    MAX_COUNT,
    MAX_GUIDANCE_SCALE,
    MAX_LORA_SCALE,
    MAX_SIZE,
    MAX_STEPS,
    MIN_SIZE,
    Scheduler,
)
from pipeline.requests.sampler_names import split_name
from storage.guilds.guilds import GuildSettings, NsfwPolicy

_LOG_LINES: Final = 15
_NSFW_WORDS: Final = {
    NsfwPolicy.RESTRICTED: "only in age-restricted channels",
    NsfwPolicy.SPOILER: "hidden until clicked, outside age-restricted channels",
    NsfwPolicy.REFUSE: "never shown",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsOptions(Options):
    """The options of /settings."""

    show: Annotated[Literal["all", "log"] | None, Details("The settings, or the log", rest=True)] = None
    default_model: Annotated[str | None, Details("The model for who names none", completion=Completion.MODELS)] = None
    default_vae: Annotated[str | None, Details("The VAE for who names none, or own", completion=Completion.VAES)] = None
    max_steps: Annotated[int | None, Details("Most denoising steps", low=1, high=MAX_STEPS)] = None
    max_size: Annotated[int | None, Details("Side of the largest square", low=MIN_SIZE, high=MAX_SIZE)] = None
    max_count: Annotated[int | None, Details("Most pictures at once", low=1, high=MAX_COUNT)] = None
    max_guidance: Annotated[float | None, Details("Most guidance", low=1, high=MAX_GUIDANCE_SCALE)] = None
    samplers: Annotated[str | None, Details("Samplers that may be used, such as euler lcm, or all")] = None
    max_lora_scale: Annotated[float | None, Details("Largest LoRA scale", low=1, high=MAX_LORA_SCALE)] = None
    private_by_default: Annotated[bool | None, Details("Answer the asker alone")] = None
    mature: Annotated[NsfwPolicy | None, Details("Where pictures for adults are shown")] = None
    people: Annotated[bool | None, Details("People may be trained on")] = None
    allow_channel: Annotated[ChannelId | None, Details("Make pictures only there")] = None
    forget_channel: Annotated[ChannelId | None, Details("Take a channel off the list")] = None
    command: Annotated[str | None, Details("The command that a role is for", completion=Completion.COMMANDS)] = None
    allow_role: Annotated[RoleId | None, Details("Only these roles may use it")] = None
    forget_role: Annotated[RoleId | None, Details("Take a role off the list")] = None
    name_admin: Annotated[MemberId | None, Details("Let this member decide here too")] = None
    forget_admin: Annotated[MemberId | None, Details("Let them decide no longer")] = None
    before: Annotated[int | None, Details("The log before this entry", low=1, flag_only=True)] = None


async def settings(caller: Caller, options: SettingsOptions, context: AppContext) -> Message:
    """Show the settings, change those that were given, or show the log of changes."""
    if options.show == "log":
        return await _log(options.before, caller, context)
    old = caller.guild.settings
    if _changed(old, options, context) == old:
        return _message("Settings of this server", old, context)
    # Another admin may have changed something meanwhile.
    new = await context.guilds.change_settings(
        caller.guild.id, lambda now: _changed(now, options, context), caller.member.name
    )
    return _message("Saved", new, context)


def _changed(old: GuildSettings, given: SettingsOptions, context: AppContext) -> GuildSettings:
    """`old` with what was given; raises InvalidRequest."""
    model, steps, side = given.default_model, given.max_steps, given.max_size
    private = given.private_by_default
    return replace(
        old,
        default_model=old.default_model if model is None else context.model(model).name,
        default_vae=old.default_vae if given.default_vae is None else _vae(given.default_vae, context),
        max_steps=old.max_steps if steps is None else steps,
        max_pixels=old.max_pixels if side is None else side * side,
        max_count=old.max_count if given.max_count is None else given.max_count,
        max_guidance=old.max_guidance if given.max_guidance is None else given.max_guidance,
        samplers=old.samplers if given.samplers is None else _samplers(given.samplers),
        max_lora_scale=old.max_lora_scale if given.max_lora_scale is None else given.max_lora_scale,
        private_by_default=old.private_by_default if private is None else private,
        allowed_channels=_with(old.allowed_channels, added=given.allow_channel, removed=given.forget_channel),
        command_roles=_roles(old, given, context),
        nsfw=given.mature or old.nsfw,
        people=old.people if given.people is None else given.people,
        admins=_with(old.admins, added=given.name_admin, removed=given.forget_admin),
    )


def _vae(name: str, context: AppContext) -> str | None:
    """One that a model here may use; None for each model's own."""
    if name == OWN:
        return None
    if not any(name in context.vaes.names(facts.family) for facts in context.models):
        raise InvalidRequest("default-vae", f"There is no VAE '{name:.60}' here; an admin of this machine can add it.")
    return name


def _samplers(text: str) -> tuple[Scheduler, ...]:
    """Those that are named, in order and each once; "all" is no list. A name with spaces stands between commas."""
    named = [part.strip() for part in text.split(",") if part.strip()]
    names = [name for part in named for name in ([part] if split_name(part) else part.split())]
    if not names:
        raise InvalidRequest("samplers", "samplers is empty; write some, such as euler lcm, or all.")
    return () if [name.casefold() for name in names] == ["all"] else tuple(dict.fromkeys(map(Scheduler.parse, names)))


def _roles(old: GuildSettings, given: SettingsOptions, context: AppContext) -> tuple[tuple[str, tuple[str, ...]], ...]:
    added, removed = given.allow_role, given.forget_role
    if added is None and removed is None:
        return old.command_roles
    if given.command is None:
        raise InvalidRequest("command", "Say for which command the role is meant, with the option 'command'.")
    command = context.command(given.command).name
    roles = {**dict(old.command_roles), command: _with(old.roles_for(command), added=added, removed=removed)}
    return tuple((command, ids) for command, ids in roles.items() if ids)


def _with(ids: tuple[str, ...], *, added: str | None, removed: str | None) -> tuple[str, ...]:
    more = (*ids, added) if added is not None and added not in ids else ids
    return tuple(each for each in more if each != removed)


def _message(headline: str, shown: GuildSettings, context: AppContext) -> Message:
    side = round(shown.max_pixels**0.5)
    lines = [
        f"Default model: {context.model(shown.default_model).name}",
        f"Default VAE: {shown.default_vae or 'of the model'}",
        f"Largest picture: {side}×{side} or as many pixels",
        f"Most steps: {shown.max_steps}",
        f"Most pictures at once: {shown.max_count}",
        f"Most guidance: {shown.max_guidance:g}",
        f"Samplers: {', '.join(shown.samplers) or 'all'}",
        f"Largest LoRA scale: {shown.max_lora_scale:g}",
        f"Private by default: {'yes' if shown.private_by_default else 'no'}",
        f"Pictures for adults: {_NSFW_WORDS[shown.nsfw]}",
        f"Training on people: {'allowed' if shown.people else 'off'}",
    ]
    lines += [] if shown.allowed_channels else ["Channels where pictures are made: all"]
    pointers = [
        Pointers(label="Channels where pictures are made", kind=PointedKind.CHANNEL, ids=shown.allowed_channels),
        *(
            Pointers(label=f"/{command} only for roles", kind=PointedKind.ROLE, ids=roles)
            for command, roles in shown.command_roles
        ),
        Pointers(label="Admins here besides the platform's own", kind=PointedKind.MEMBER, ids=shown.admins),
    ]
    return Message(headline=headline, lines=tuple(lines), pointers=tuple(p for p in pointers if p.ids), private=True)


async def _log(before: int | None, caller: Caller, context: AppContext) -> Message:
    """A page of the log, newest first."""
    found = await context.audit.entries(caller.guild.id, limit=_LOG_LINES + 1, before=before)
    entries = found[:_LOG_LINES]
    lines = [
        f"{datetime.fromtimestamp(entry.at, UTC):%Y-%m-%d %H:%M} UTC · {entry.actor} · {entry.detail}"
        for entry in entries
    ]
    buttons: tuple[tuple[Button, ...], ...] = ()
    if len(found) > _LOG_LINES:
        older = SettingsOptions(show="log", before=entries[-1].id)
        buttons = ((await call_button(caller, context, COMMAND.name, older, "Older"),),)
    shown = tuple(lines) or ("Nothing was changed yet.",)
    return Message(headline="Who changed what", lines=shown, buttons=buttons, private=True)


COMMAND: Final = Command(
    name="settings",
    help="What the admins of this server decide",
    example="/settings --max-steps 30",
    takes=SettingsOptions,
    handler=settings,
    audience=Audience.ADMINS,
    private=True,
)
