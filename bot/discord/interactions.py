"""Answers members: every interaction is acknowledged first, then read, then answered."""

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, assert_never

import discord

from bot.discord.attachments import Download, chosen, downloaded
from bot.discord.first_answer import first_answer
from bot.discord.guilds import DiscordGuilds
from bot.discord.live_interactions import LiveInteractions
from bot.discord.members import address_of, check_install, check_target, is_installed, member_of
from bot.discord.message_ids import posted_ids
from bot.discord.modal import DiscordModalState, build_modal, read_entries
from bot.discord.rendering import render
from bot.discord.routes import DEFAULT_FILE_LIMIT, direct_channel
from bot.discord.uploads import pack, with_fitting_files
from handlers.buttons import ClickResponse, Press, manner, press
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
from handlers.messages.message import Message, Mood
from handlers.messages.refusal import refusal
from pipeline.errors import UserError
from pipeline.processes.fair_turns import Share
from storage.guilds.guilds import GuildSettings

_log = logging.getLogger(__name__)

Interaction = discord.Interaction[Any]

_TOKEN_SECONDS: Final = 900.0
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
    download: Download = downloaded

    async def command(self, interaction: Interaction, command: Command, given: Mapping[str, Value]) -> None:
        """Answer a slash command; nothing is awaited before its acknowledgement."""
        try:
            raw = _with_flags(command, given)
            options = read_options(command, raw)
        except UserError as error:
            await _refuse_at_once(interaction, error)
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
            await _refuse_at_once(interaction, error)
            return
        await self._reply(
            interaction,
            lambda caller: submit_form(
                modal.call_id, entries, caller, self.context, partial(chosen, download=self.download)
            ),
            private=lambda _settings: modal.private,
        )

    async def press(self, interaction: Interaction, pressed: Press) -> None:
        """Answer a click in the way that its verb asks for."""
        ephemeral = _is_ephemeral(interaction)
        match manner(pressed.verb):
            case ClickResponse.FORM:
                private = ephemeral or self._settings(interaction).private_by_default
                await self._open(interaction, lambda caller: press(pressed, caller, self.context), private=private)
            case ClickResponse.IN_PLACE:
                await self._press_in_place(interaction, pressed)
            case ClickResponse.NEW_MESSAGE:
                await self._reply(
                    interaction,
                    lambda caller: press(pressed, caller, self.context),
                    private=lambda settings: ephemeral or settings.private_by_default,
                )
            case ClickResponse.PRIVATE_MESSAGE:
                await self._reply(interaction, lambda caller: press(pressed, caller, self.context), private=_always)
            case other:
                assert_never(other)

    async def say(self, interaction: Interaction, work: Callable[[], Awaitable[Message]]) -> None:
        """Answer privately with what `work` finds, which needs no guild."""

        async def ignoring_caller(_caller: Caller) -> Message:
            return await work()

        await self._reply(interaction, ignoring_caller, private=_always)

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
        await _tell(interaction, error)

    async def fault(self, interaction: Interaction, error: BaseException) -> None:
        """Log an error of ours and tell the member, with a number by which the log line is found."""
        number = secrets.token_hex(4)
        _log.error("an interaction failed (%s)", number, exc_info=error)
        sentence = f"Something went wrong on our side and was noted as {number}; try again in a minute."
        try:
            await _tell(interaction, UserError(sentence))
        except discord.HTTPException as second:
            _log.warning("the member could not be told of %s: %s", number, second)

    async def _reply(
        self,
        interaction: Interaction,
        work: Callable[[Caller], Awaitable[Pressed]],
        private: Callable[[GuildSettings], bool],
    ) -> None:
        """Acknowledge, do the work, answer; a job's answer is left to delivery, which edits it from here on."""
        hidden = private(self._settings(interaction))
        try:
            check_install(interaction)
            if not hidden:
                check_target(interaction)
        except UserError as error:
            await _refuse_at_once(interaction, error)
            return
        message_id = await _defer(interaction, private=hidden)
        if not await self._is_first(interaction):
            return
        self.live.add(message_id, interaction)
        try:
            caller = await self._caller(interaction, message_id, private=hidden)
            _check_still_public(hidden=hidden, wanted=private(caller.guild.settings))
            result = await work(caller)
        except UserError as error:
            self.live.drop(message_id)
            await _refuse(interaction, error, private=hidden)
            return
        if isinstance(result, Message) and result.job_id is not None:
            return
        self.live.drop(message_id)
        await self._answer(interaction, result, private=hidden)
        await self.guilds.read(interaction)  # the command may have changed the settings

    async def _answer(self, interaction: Interaction, result: Pressed, *, private: bool) -> None:
        match result:
            case Message() if result.private and not private:
                await _whisper(interaction, with_fitting_files(result, interaction.filesize_limit))
            case Message():
                fitting = with_fitting_files(result, interaction.filesize_limit)
                await interaction.edit_original_response(**render(fitting).as_edit())
            case SendDirect():
                await self._send_direct(interaction, result)
            case AlreadyHeard():
                await _delete_answer(interaction)
            case Form() | Remove():
                raise TypeError(f"{type(result).__name__} is no message")
            case _:
                assert_never(result)

    async def _press_in_place(self, interaction: Interaction, pressed: Press) -> None:
        """Show the result of the click in the clicked message, which delivery edits from here on."""
        with first_answer(interaction):
            await interaction.response.defer()
        if not await self._is_first(interaction):
            return
        message_id = None if interaction.message is None else str(interaction.message.id)
        if message_id is not None:
            self.live.add(message_id, interaction)
        try:
            caller = await self._caller(interaction, message_id, private=_is_ephemeral(interaction))
            result = await press(pressed, caller, self.context)
        except UserError as error:
            await _tell(interaction, error)
            return
        if isinstance(result, Remove):
            self.live.drop(message_id)
            await _delete_answer(interaction)
            left = await _delete_parts(interaction, posted_ids(result.posted)[1:])
            if left and _is_ephemeral(interaction):
                await _tell(interaction, UserError(_OTHER_PARTS))

    async def _open(
        self, interaction: Interaction, work: Callable[[Caller], Awaitable[Pressed]], *, private: bool
    ) -> None:
        try:
            check_install(interaction)
            result = await work(await self._caller(interaction, None, private=private))
        except UserError as error:
            await _refuse_at_once(interaction, error)
            return
        with first_answer(interaction):
            if isinstance(result, Form):
                await interaction.response.send_modal(build_modal(result, private=private))
            else:
                await interaction.response.defer()

    async def _send_direct(self, interaction: Interaction, result: SendDirect) -> None:
        sentence = result.sent
        packed = await pack(result.message.images, DEFAULT_FILE_LIMIT, self.context.images, share_of(interaction))
        message = replace(result.message, lines=(*result.message.lines, *packed.refusals))
        try:
            channel = await direct_channel(interaction.client, str(interaction.user.id))
            for images in packed.messages:
                await channel.send(**render(replace(message, images=images)).as_new())
        except discord.Forbidden:
            sentence = "Discord lets nobody write to you directly; allow messages from members of this server."
        await interaction.edit_original_response(**render(Message(headline=sentence)).as_edit())

    async def _caller(self, interaction: Interaction, message_id: str | None, *, private: bool) -> Caller:
        guild = await self.guilds.read(interaction)
        return Caller(
            guild=guild,
            member=with_rights(member_of(interaction), guild.settings),
            reply=address_of(interaction, message_id, private=private),
        )

    async def _is_first(self, interaction: Interaction) -> bool:
        """Whether no other process has taken the interaction: an acknowledgement alone does not say whose it was."""
        return await self.context.clicks.is_first(f"discord {interaction.id}", _TOKEN_SECONDS)

    def _settings(self, interaction: Interaction) -> GuildSettings:
        """The guild's settings as last read, since the acknowledgement must not wait for the database."""
        guild = self.guilds.remembered(interaction)
        return guild.settings if guild is not None else GuildSettings()


def share_of(interaction: Interaction) -> Share:
    """By whom fair turns are counted: the server, and the member in it."""
    return str(interaction.guild_id or 0), str(interaction.user.id)


def _check_still_public(*, hidden: bool, wanted: bool) -> None:
    """Raise UserError where the settings, read since a public acknowledgement, want a private answer."""
    if wanted and not hidden:
        raise UserError("The admins have just made answers here private; please ask again.")


def _always(_settings: GuildSettings) -> bool:
    return True


def _is_ephemeral(interaction: Interaction) -> bool:
    return interaction.message is not None and interaction.message.flags.ephemeral


def _with_flags(command: Command, given: Mapping[str, Value]) -> dict[str, Value]:
    """The values, with the flags that were typed after the free text, as every other platform allows."""
    if command.rest is None or not isinstance(text := given.get(command.rest.name), str):
        return dict(given)
    without = {name: value for name, value in given.items() if name != command.rest.name}
    return {**parse_text(command, text), **without}


async def _defer(interaction: Interaction, *, private: bool) -> str:
    """Acknowledge and return the id of the message that will hold the answer."""
    response = None
    with first_answer(interaction):
        response = await interaction.response.defer(ephemeral=private, thinking=True)
    if response is not None and response.message_id is not None:
        return str(response.message_id)
    return str((await interaction.original_response()).id)


async def _refuse_at_once(interaction: Interaction, error: UserError) -> None:
    with first_answer(interaction):
        await interaction.response.send_message(**render(_refusal(error)).as_new(), ephemeral=True)


async def _tell(interaction: Interaction, error: UserError) -> None:
    """Show the error to the member alone, whether or not there was an answer before."""
    if interaction.response.is_done():
        await interaction.followup.send(**render(_refusal(error)).as_new(), ephemeral=True)
    else:
        await _refuse_at_once(interaction, error)


async def _delete_answer(interaction: Interaction) -> None:
    """Delete the answer; one that is gone already was deleted, by an earlier try or by the member."""
    with suppress(discord.NotFound):
        await interaction.delete_original_response()


async def _delete_parts(interaction: Interaction, message_ids: tuple[str, ...]) -> int:
    """Delete the further messages of the clicked result; returns how many could not be deleted."""
    left = 0
    place = interaction.client.get_partial_messageable(interaction.channel_id or 0)
    for message_id in message_ids:
        try:
            await place.get_partial_message(int(message_id)).delete()
        except discord.NotFound:
            left += _is_ephemeral(interaction)  # the bot cannot see those; any other is gone
        except discord.HTTPException as error:
            _log.info("a part of a result stays: %s", error)
            left += 1
    return left


async def _whisper(interaction: Interaction, message: Message) -> None:
    """Answer privately after a public acknowledgement.

    The first follow-up replaces the acknowledgement and is as public, so that one is answered and then deleted.
    """
    await interaction.edit_original_response(**render(Message(headline="Answered privately.")).as_edit())
    await interaction.followup.send(**render(message).as_new(), ephemeral=True)
    await _delete_answer(interaction)


async def _refuse(interaction: Interaction, error: UserError, *, private: bool) -> None:
    """Show the error to the member alone; a public acknowledgement is deleted first."""
    if private:
        await interaction.edit_original_response(**render(_refusal(error)).as_edit())
    else:
        await _whisper(interaction, _refusal(error))


def _refusal(error: UserError) -> Message:
    return Message(headline=refusal(error), mood=Mood.FAILED, private=True)
