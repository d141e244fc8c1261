"""/settings: what the admins of a guild decide, and the log of who decided it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from handlers.commands.arguments import Arguments
from handlers.commands.call import Call
from handlers.commands.command import Audience, Command
from handlers.commands.context import AppContext
from handlers.commands.option import Completion, Option, OptionKind
from handlers.messages.message import Message, PointedKind, Pointers
from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import MAX_SIZE, MAX_STEPS, MIN_SIZE
from storage.guilds.guilds import GuildSettings, NsfwPolicy

_LOG: Final = "log"
_LOG_LINES: Final = 15
_NSFW_WORDS: Final = {
    NsfwPolicy.RESTRICTED: "only in age-restricted channels",
    NsfwPolicy.SPOILER: "hidden until clicked, outside age-restricted channels",
    NsfwPolicy.REFUSE: "never shown",
}


async def settings(call: Call, context: AppContext) -> Message:
    """Show the settings, change those that were given, or show the log of changes."""
    if call.arguments.text("show") == _LOG:
        return await _log(call, context)
    old = call.guild.settings
    new = _changed(old, call.arguments, context)
    if new == old:
        return _message("Settings of this server", old, context)
    await context.guilds.save_settings(call.guild.id, new, call.member.name)
    return _message("Saved", new, context)


def _changed(old: GuildSettings, given: Arguments, context: AppContext) -> GuildSettings:
    """`old` with what was given; raises InvalidRequest."""
    model, steps, side = given.text("default-model"), given.integer("max-steps"), given.integer("max-size")
    private, nsfw = given.switch("private-by-default"), given.text("mature")
    people = given.switch("people")
    return replace(
        old,
        default_model=old.default_model if model is None else context.model(model).name,
        max_steps=old.max_steps if steps is None else steps,
        max_pixels=old.max_pixels if side is None else side * side,
        private_by_default=old.private_by_default if private is None else private,
        allowed_channels=_with(
            old.allowed_channels, added=given.text("allow-channel"), removed=given.text("forget-channel")
        ),
        command_roles=_roles(old, given, context),
        nsfw=old.nsfw if nsfw is None else NsfwPolicy(nsfw),
        people=old.people if people is None else people,
        admins=_with(old.admins, added=given.text("name-admin"), removed=given.text("forget-admin")),
    )


def _roles(old: GuildSettings, given: Arguments, context: AppContext) -> tuple[tuple[str, tuple[str, ...]], ...]:
    added, removed = given.text("allow-role"), given.text("forget-role")
    if added is None and removed is None:
        return old.command_roles
    name = given.text("command")
    if name is None:
        raise InvalidRequest("command", "Say for which command the role is meant, with the option 'command'.")
    command = context.command(name).name
    roles = {**dict(old.command_roles), command: _with(old.roles_for(command), added=added, removed=removed)}
    return tuple((command, ids) for command, ids in roles.items() if ids)


def _with(ids: tuple[str, ...], *, added: str | None, removed: str | None) -> tuple[str, ...]:
    more = (*ids, added) if added is not None and added not in ids else ids
    return tuple(each for each in more if each != removed)


def _message(headline: str, shown: GuildSettings, context: AppContext) -> Message:
    side = round(shown.max_pixels**0.5)
    lines = [
        f"Default model: {context.model(shown.default_model).name}",
        f"Largest picture: {side}×{side} or as many pixels",
        f"Most steps: {shown.max_steps}",
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


async def _log(call: Call, context: AppContext) -> Message:
    entries = await context.audit.entries(call.guild.id, limit=_LOG_LINES)
    lines = [
        f"{datetime.fromtimestamp(entry.at, UTC):%Y-%m-%d %H:%M} UTC · {entry.actor} · {entry.detail}"
        for entry in entries
    ]
    return Message(headline="Who changed what", lines=tuple(lines) or ("Nothing was changed yet.",), private=True)


COMMAND: Final = Command(
    name="settings",
    help="What the admins of this server decide",
    example="/settings --max-steps 30",
    handler=settings,
    audience=Audience.ADMINS,
    private=True,
    options=(
        Option(name="show", help="The settings, or the log", kind=OptionKind.CHOICE, choices=("all", _LOG), rest=True),
        Option(name="default-model", help="The model for who names none", completion=Completion.MODELS),
        Option(name="max-steps", help="Most denoising steps", kind=OptionKind.INTEGER, low=1, high=MAX_STEPS),
        Option(
            name="max-size", help="Side of the largest square", kind=OptionKind.INTEGER, low=MIN_SIZE, high=MAX_SIZE
        ),
        Option(name="private-by-default", help="Answer the asker alone", kind=OptionKind.SWITCH),
        Option(
            name="mature",
            help="Where pictures for adults are shown",
            kind=OptionKind.CHOICE,
            choices=tuple(choice.value for choice in NsfwPolicy),
        ),
        Option(name="people", help="People may be trained on", kind=OptionKind.SWITCH),
        Option(name="allow-channel", help="Make pictures only there", kind=OptionKind.CHANNEL),
        Option(name="forget-channel", help="Take a channel off the list", kind=OptionKind.CHANNEL),
        Option(name="command", help="The command that a role is for", completion=Completion.COMMANDS),
        Option(name="allow-role", help="Only these roles may use it", kind=OptionKind.ROLE),
        Option(name="forget-role", help="Take a role off the list", kind=OptionKind.ROLE),
        Option(name="name-admin", help="Let this member decide here too", kind=OptionKind.MEMBER),
        Option(name="forget-admin", help="Let them decide no longer", kind=OptionKind.MEMBER),
    ),
)
