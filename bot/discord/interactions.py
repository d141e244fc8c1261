"""Answers members: every interaction is acknowledged first, then read, then answered."""

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, assert_never

import discord

from bot.discord.answers import (
    defer,
    delete_answer,
    delete_parts,
    first_answer,
    first_message,
    is_ephemeral,
    refuse,
    refuse_at_once,
    send_direct,
    show,
    tell,
    whisper,
)
from bot.discord.attachments import Download, chosen, downloaded
from bot.discord.guilds import DIRECT, DiscordGuilds
from bot.discord.inbox import DiscordInbox, check_attempts, is_resumed
from bot.discord.live_interactions import LiveInteractions
from bot.discord.members import address_of, check_install, check_target, is_installed, member_in, member_of
from bot.discord.message_ids import posted_ids
from bot.discord.modal import DiscordModalState, build_modal, read_entries
from bot.discord.rendering import render
from bot.discord.uploads import with_fitting_files
from handlers.buttons import ClickResponse, Press, home_guild, manner, press
from handlers.commands.actions import AlreadyHeard, Pressed, Remove, SendDirect
from handlers.commands.arguments import Value, read_options
from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.completion import Suggestion, complete
from handlers.commands.context import AppContext
from handlers.commands.dispatch import answer, answers_privately
from handlers.commands.form import Form
from handlers.commands.forms import advanced_form, submit_form
from handlers.commands.option import Option
from handlers.commands.parsing import parse_text
from handlers.commands.permissions import with_rights
from handlers.jobs.ending import end_removal
from handlers.messages.message import Message, Verb
from pipeline.errors import UserError
from storage.errors import StorageError
from storage.guilds.guilds import Guild, GuildSettings
from storage.platform import Platform

_log = logging.getLogger(__name__)

Interaction = discord.Interaction[Any]

_OTHER_PARTS: Final = (
    "The pictures are deleted here; Discord lets nobody but you take away the other messages that show them to you "
    "alone: choose 'Dismiss message' below each."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordInteractionHandler:
    """Takes interactions and answers them; `live` learns of every answer that delivery may still edit.

    `download` fetches what is attached to them.
    """

    context: AppContext
    guilds: DiscordGuilds
    live: LiveInteractions
    inbox: DiscordInbox
    download: Download = downloaded

    async def command(self, interaction: Interaction, command: Command, given: Mapping[str, Value]) -> None:
        """Answer a slash command; nothing is awaited before its acknowledgement."""
        try:
            raw = _with_flags(command, given)
            options = read_options(command, raw)
        except UserError as error:
            await self.inbox.refuse(interaction, error)
            return
        await self._reply(
            interaction,
            lambda caller: answer(command, raw, caller, self.context),
            private=lambda settings: answers_privately(command, options, settings),
        )

    async def advanced(self, interaction: Interaction, command: Command, given: Mapping[str, Value]) -> None:
        """Open the form of a command's other options."""
        private = given.get("private")
        await self.form(
            interaction,
            lambda caller: advanced_form(command, _with_flags(command, given), caller, self.context),
            private=private if isinstance(private, bool) else None,
        )

    async def form(
        self, interaction: Interaction, work: Callable[[Caller], Awaitable[Form]], *, private: bool | None = None
    ) -> None:
        """Open a form; a modal must be the first answer, so it is looked up first."""

        async def form(caller: Caller) -> Form:
            check_target(interaction)
            return await work(caller)

        hidden = self._settings(interaction).private_by_default if private is None else private
        await self._open(interaction, form, private=hidden)

    async def submit(self, interaction: Interaction, modal: DiscordModalState) -> None:
        """Answer a modal."""
        try:
            entries = read_entries(self.context.command(modal.command), dict(interaction.data or {}))
        except UserError as error:
            await self.inbox.refuse(interaction, error)
            return
        await self._reply(
            interaction,
            lambda caller: submit_form(
                modal.call_id, entries, caller, self.context, partial(chosen, download=self.download)
            ),
            private=lambda _settings: modal.private,
            about=Press(verb=Verb.CALL, target=modal.call_id, index=0),
        )

    async def press(self, interaction: Interaction, pressed: Press) -> None:
        """Answer a click in the way that its verb asks for."""
        ephemeral = is_ephemeral(interaction)
        match manner(pressed.verb):
            case ClickResponse.FORM:
                private = ephemeral or self._settings(interaction).private_by_default
                work = partial(press, pressed, context=self.context)
                await self._open(interaction, work, private=private, about=pressed)
            case ClickResponse.IN_PLACE:
                await self._press_in_place(interaction, pressed)
            case ClickResponse.NEW_MESSAGE:
                await self._reply(
                    interaction,
                    lambda caller: press(pressed, caller, self.context),
                    private=lambda settings: ephemeral or settings.private_by_default,
                    about=pressed,
                )
            case ClickResponse.PRIVATE_MESSAGE:
                work = partial(press, pressed, context=self.context)
                await self._reply(interaction, work, private=_always, about=pressed)
            case other:
                assert_never(other)

    async def say(self, interaction: Interaction, work: Callable[[Caller], Awaitable[Message]]) -> None:
        """Answer privately with what `work` finds."""
        await self._reply(interaction, work, private=_always)

    async def suggest(self, interaction: Interaction, option: Option, typed: str) -> tuple[Suggestion, ...]:
        """What may be typed next into `option`."""
        if option.completion is None or not is_installed(interaction):
            return ()
        try:
            guild = self.guilds.remembered(interaction) or await self.guilds.read(interaction)
        except UserError:
            return ()
        member = with_rights(member_of(interaction), guild.settings)
        return await complete(option.completion, typed, guild=guild, member=member, context=self.context)

    async def refuse(self, interaction: Interaction, error: UserError) -> None:
        """Tell the member alone what is wrong."""
        await self.inbox.refuse(interaction, error)

    async def fault(self, interaction: Interaction, error: BaseException) -> None:
        """Log an error of ours and tell the member, with a number by which the log line is found."""
        number = secrets.token_hex(4)
        _log.error("an interaction failed (%s)", number, exc_info=error)
        sentence = f"Something went wrong on our side and was noted as {number}; try again in a minute."
        try:
            await self.inbox.refuse(interaction, UserError(sentence))
        except discord.HTTPException as second:
            _log.warning("the member could not be told of %s: %s", number, second)

    async def _reply(
        self,
        interaction: Interaction,
        work: Callable[[Caller], Awaitable[Pressed]],
        private: Callable[[GuildSettings], bool],
        about: Press | None = None,
    ) -> None:
        """Acknowledge, do the work, answer; a job's answer is left to delivery, which edits it from here on."""
        hidden = private(self._settings(interaction))
        try:
            check_install(interaction)
            if not hidden:
                check_target(interaction)
        except UserError as error:
            await self.inbox.refuse(interaction, error)
            return
        async with self.inbox.receive(interaction, private=hidden) as is_ours:
            if is_ours:
                await self._reply_once(interaction, work, private, about, hidden=hidden)

    async def _reply_once(
        self,
        interaction: Interaction,
        work: Callable[[Caller], Awaitable[Pressed]],
        private: Callable[[GuildSettings], bool],
        about: Press | None,
        *,
        hidden: bool,
    ) -> None:
        if is_resumed():
            first = await first_message(interaction)
            if first is None:  # Discord has told the member that nothing was heard
                return
            message_id, hidden = str(first.id), first.flags.ephemeral
        else:
            message_id = await defer(interaction, private=hidden)
        self.live.add(message_id, interaction)
        try:
            check_attempts()
            caller = await self._caller(interaction, message_id, private=hidden, about=about)
            if not caller.direct:  # there everything is private
                _check_still_public(hidden=hidden, wanted=private(caller.guild.settings))
            result = await work(caller)
        except UserError as error:
            self.live.drop(message_id)
            await refuse(interaction, error, private=hidden)
            return
        if isinstance(result, Message) and result.job_id is not None:
            return
        self.live.drop(message_id)
        await self._answer(interaction, result, private=hidden)
        with suppress(StorageError):  # the command may have changed its settings
            await self.guilds.ensure(caller.guild.external_id, caller.guild.name)

    async def _answer(self, interaction: Interaction, result: Pressed, *, private: bool) -> None:
        match result:
            case Message() if result.private and not private:
                await whisper(interaction, with_fitting_files(result, interaction.filesize_limit))
            case Message():
                await show(interaction, with_fitting_files(result, interaction.filesize_limit), self.context.images)
            case SendDirect():
                await send_direct(interaction, result, self.context.images)
            case AlreadyHeard():
                await delete_answer(interaction)
            case Form() | Remove():
                raise TypeError(f"{type(result).__name__} is no message")
            case _:
                assert_never(result)

    async def _press_in_place(self, interaction: Interaction, pressed: Press) -> None:
        async with self.inbox.receive(interaction, private=True) as is_ours:
            if is_ours:
                await self._press_once(interaction, pressed)

    async def _press_once(self, interaction: Interaction, pressed: Press) -> None:
        """Show the result of the click in the clicked message, which delivery edits from here on."""
        if not is_resumed():
            with first_answer(interaction):
                await interaction.response.defer()
        elif await first_message(interaction) is None:
            return
        message_id = None if interaction.message is None else str(interaction.message.id)
        if message_id is not None:
            self.live.add(message_id, interaction)
        try:
            check_attempts()
            caller = await self._caller(interaction, message_id, private=is_ephemeral(interaction), about=pressed)
            result = await press(pressed, caller, self.context)
        except UserError as error:
            await tell(interaction, error)
            return
        if isinstance(result, Message) and result.job_id is None and result.buttons:
            # A question before it is done: the clicked message stays as it is.
            await interaction.followup.send(**render(result).as_new(), ephemeral=True)
        if isinstance(result, Remove):
            self.live.drop(message_id)
            await delete_answer(interaction)
            left = await delete_parts(interaction, posted_ids(result.posted)[1:])
            await end_removal(self.context)
            if left and is_ephemeral(interaction):
                await tell(interaction, UserError(_OTHER_PARTS))

    async def _open(
        self, interaction: Interaction, work: Callable[[Caller], Awaitable[Pressed]], *, private: bool,
        about: Press | None = None,
    ) -> None:  # fmt: skip
        try:
            check_install(interaction)
            result = await work(await self._caller(interaction, None, private=private, about=about))
            modal = build_modal(result, private=private) if isinstance(result, Form) else None
        except UserError as error:
            await refuse_at_once(interaction, error)
            return
        with first_answer(interaction):
            if modal is not None:
                await interaction.response.send_modal(modal)
            else:
                await interaction.response.defer()

    async def _caller(
        self, interaction: Interaction, message_id: str | None, *, private: bool, about: Press | None = None
    ) -> Caller:
        """Who calls, in the guild of the interaction, or in direct messages in the one of what the click is `about`."""
        reply = address_of(interaction, message_id, private=private)
        home = await self._home(interaction, about)
        guild = home or await self.guilds.read(interaction)
        member = member_of(interaction) if home is None else await member_in(home.external_id, interaction)
        rights = with_rights(member, guild.settings)
        return Caller(guild=guild, member=rights, reply=reply, direct=home is not None)

    async def _home(self, interaction: Interaction, about: Press | None) -> Guild | None:
        """The server where the member asked for what they click on in direct messages."""
        if about is None or interaction.guild_id is not None:
            return None
        home = await home_guild(about, Platform.DISCORD, str(interaction.user.id), self.context)
        if home is None or home.external_id.startswith(DIRECT):
            return None
        served = await self.context.connections.find(home.id, str(interaction.application_id))
        if served is None:
            raise UserError("Limner is no longer in the server where this was made.")
        return served

    def _settings(self, interaction: Interaction) -> GuildSettings:
        """The guild's settings as last read, since the acknowledgement must not wait for the database."""
        guild = self.guilds.remembered(interaction)
        return guild.settings if guild is not None else GuildSettings()


def _check_still_public(*, hidden: bool, wanted: bool) -> None:
    """Raise UserError where the settings, read since a public acknowledgement, want a private answer."""
    if wanted and not hidden:
        raise UserError("The admins have just made answers here private; please ask again.")


def _always(_settings: GuildSettings) -> bool:
    return True


def _with_flags(command: Command, given: Mapping[str, Value]) -> dict[str, Value]:
    """The values, with the flags that were typed after the free text, as every other platform allows."""
    if command.rest is None or not isinstance(text := given.get(command.rest.name), str):
        return dict(given)
    without = {name: value for name, value in given.items() if name != command.rest.name}
    return {**parse_text(command, text), **without}
