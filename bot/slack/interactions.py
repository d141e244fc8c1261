"""Answers members: what happens when one types, clicks, fills a form or mentions us."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, assert_never

from slack_sdk.errors import SlackApiError

from bot.slack.answers import BUTTON_VALUE, OPEN_FORM, Answers, open_form_button
from bot.slack.attachments import Attachments
from bot.slack.chat_platform import SlackPlatform
from bot.slack.error_codes import SlackRefusal
from bot.slack.errors import (
    BUSY,
    FAULTS,
    OUR_FAULT,
    code_of,
    delivery_errors,
    reason_of,
    refusal_of,
    sentence_of,
    unless_gone,
)
from bot.slack.guilds import SlackGuilds
from bot.slack.inbox import is_resumed
from bot.slack.interaction import SlackInteraction
from bot.slack.message_ids import MessageId
from bot.slack.modal import (
    SlackModalState,
    choice,
    entries,
    errors,
    fields_of,
    form_view,
    handed_over,
    holds,
    modal,
    note,
    option_of,
)
from bot.slack.rendering import Block
from bot.slack.text_commands import TextCommand, below_umbrella, by_mention, plain_words, readable_values
from bot.slack.workspaces import NotInstalled, Workspaces
from handlers.buttons import ClickResponse, manner, press, read_button_id
from handlers.commands.actions import AlreadyHeard, Remove, SendDirect
from handlers.commands.arguments import Value
from handlers.commands.command import Command
from handlers.commands.completion import complete
from handlers.commands.context import AppContext
from handlers.commands.dispatch import answer
from handlers.commands.form import Form
from handlers.commands.forms import submit_form
from handlers.commands.option import Option
from handlers.commands.parsing import parse_text
from handlers.jobs.ending import end_removal
from handlers.messages.chat_platform import TryLater, Undeliverable
from handlers.messages.message import Message
from handlers.messages.refusal import refusal
from pipeline.errors import InvalidRequest, UserError
from storage.queue.inbox import AnsweredElsewhere, Unreachable

_log = logging.getLogger(__name__)

Ack = Callable[..., Awaitable[Any]]
Body = Mapping[str, Any]

# Slack waits three seconds for a form's answer; the rest is for the network.
_FORM_SECONDS: Final = 2.0
_NO_WAY: Final = "Slack does not let Limner answer here; ask an admin of this workspace."


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackInteractionHandler:
    """Each method acknowledges first, then calls the same handlers as every other platform."""

    context: AppContext
    guilds: SlackGuilds
    answers: Answers
    workspaces: Workspaces
    chat: SlackPlatform
    attachments: Attachments

    async def command(self, ack: Ack, body: Body, head: Command) -> None:
        """A command with a slash of its own, or an action of such a group."""
        await ack()
        interaction = SlackInteraction.of_command(body)
        async with self.reporting_errors(interaction):
            await self._run(interaction, below_umbrella(f"{head.name} {body.get('text', '')}", self.context))

    async def umbrella(self, ack: Ack, body: Body) -> None:
        """Any command below `/limner`."""
        await ack()
        interaction = SlackInteraction.of_command(body)
        async with self.reporting_errors(interaction):
            await self._run(interaction, below_umbrella(body.get("text", ""), self.context))

    async def mention(self, ack: Ack, body: Body) -> None:
        """A command or a prompt in a message to us; in a thread the answer goes into the thread.

        What a workflow or another app writes has no member to answer, and is left alone.
        """
        await ack()
        if not body["event"].get("user"):
            return
        interaction = SlackInteraction.of_event(body)
        async with self.reporting_errors(interaction):
            await self._run(interaction, by_mention(body["event"].get("text", ""), self.context))

    async def button(self, ack: Ack, body: Body) -> None:
        """A button below a message; who clicks is checked by the handler, each time."""
        await ack()
        interaction = SlackInteraction.of_interactivity(body)
        async with self.reporting_errors(interaction):
            pressed = read_button_id(body["actions"][0]["action_id"])
            if pressed is None:
                raise UserError("This button is from another version of Limner; type the command instead.")
            interaction = await self.guilds.at_home(interaction, pressed)
            caller = replace(await self.guilds.caller(interaction), direct=interaction.is_direct)
            if manner(pressed.verb) is ClickResponse.IN_PLACE:
                caller = replace(caller, reply=replace(caller.reply, message_id=_clicked(body).text))
            await self._take(interaction, body, await press(pressed, caller, self.context))

    async def open_form(self, ack: Ack, body: Body) -> None:
        """The button "Open form": the command's whole form, with what was understood of the text."""
        await ack()
        interaction = SlackInteraction.of_interactivity(body)
        async with self.reporting_errors(interaction):
            self.guilds.check(interaction.tenant)
            action = body["actions"][0]
            command = self.context.command(action["action_id"].removeprefix(f"{OPEN_FORM}:"))
            typed = TextCommand(command=command, text=action.get("value", ""))
            await self.answers.open_view(interaction, self._form(interaction, typed))

    async def submission(self, ack: Ack, body: Body) -> None:
        """A filled form: an error is shown beside its field, if it is found while Slack waits."""
        interaction = SlackInteraction.of_interactivity(body)
        try:
            place = SlackModalState.parse(body["view"]["private_metadata"])
        except UserError as unreadable:
            await ack()
            await self._refuse(interaction, refusal(unreadable))
            return
        interaction = replace(interaction, channel_id=place.channel_id, thread_id=place.thread_id)
        calling = asyncio.create_task(self._submit(interaction, place, body["view"]))
        await asyncio.wait({calling}, timeout=_FORM_SECONDS)
        error = calling.exception() if calling.done() else None
        if isinstance(error, InvalidRequest) and not is_resumed():
            sentence = self.chat.renderer.spell(refusal(error))
            await ack(response_action="errors", errors=errors(body["view"], error.field, sentence))
            return
        if isinstance(error, NotInstalled) and not is_resumed():  # then the form itself is the one place for an answer
            await ack(response_action="update", view=note("Limner", str(error)))
            return
        await ack()
        async with self.reporting_errors(interaction):
            await self.answers.give(interaction, await calling)

    async def suggest(self, ack: Ack, body: Body) -> None:
        """The options of a select, as the member types; only those of their own workspace, none where that fails."""
        interaction = SlackInteraction.of_interactivity(body)
        option = self._asked_option(body["action_id"])
        if option is None or option.completion is None:
            await ack(options=[])
            return
        try:
            caller = await self.guilds.caller(interaction)
            found = await complete(
                option.completion, body.get("value", ""), guild=caller.guild, member=caller.member, context=self.context
            )
        except (UserError, Undeliverable, *FAULTS) as why:
            _log.warning("no suggestions in %s: %s", interaction.tenant.team_id, why)
            found = ()
        await ack(options=[choice(f"{item.value} · {item.help}", item.value) for item in found if holds(item.value)])

    @asynccontextmanager
    async def reporting_errors(self, interaction: SlackInteraction) -> AsyncIterator[None]:
        """Turn every error in the block into a sentence that only the member sees."""
        try:
            yield
        except AnsweredElsewhere:
            raise
        except UserError as error:
            await self._refuse(interaction, refusal(error))
        except NotInstalled as why:
            await self._refuse(interaction, str(why))
        except Undeliverable as why:
            _log.warning("no answer in %s: %s", interaction.tenant.team_id, why)
            await self._refuse(interaction, _NO_WAY)
        except SlackApiError as error:
            is_ours = refusal_of(error) is SlackRefusal.OURS
            _log.warning("Slack refused an answer: %s", code_of(error), exc_info=error if is_ours else None)
            await self._warn_admins(interaction, error)
            await self._refuse(interaction, sentence_of(error))
        except FAULTS as why:
            _log.warning("no answer in %s: %s", interaction.tenant.team_id, reason_of(why))
            await self._refuse(interaction, BUSY)
        except Exception:
            _log.exception("an interaction failed")
            await self._refuse(interaction, OUR_FAULT)

    async def refuse(self, body: Body, sentence: str) -> None:
        """Tell the member whose payload it is that it comes to nothing; an event of the workspace's has none."""
        if (interaction := SlackInteraction.of(body)).user_id:
            await self._refuse(interaction, sentence)

    async def _warn_admins(self, interaction: SlackInteraction, error: SlackApiError) -> None:
        """Note in the log of the settings what only an admin can allow."""
        if refusal_of(error) is not SlackRefusal.FORBIDDEN:
            return
        guild = await self.guilds.guild(interaction)
        detail = f"Slack did not let Limner answer: {reason_of(error)}"
        await self.context.audit.record_daily(guild.id, "Limner", "forbidden", detail)

    async def _refuse(self, interaction: SlackInteraction, sentence: str) -> None:
        try:
            with delivery_errors():
                await self.answers.refuse(interaction, sentence)
        except TryLater as why:
            if self.context.inbox.handled_id is not None:
                raise Unreachable(str(why)) from why
            _log.warning("no answer in %s: %s", interaction.tenant.team_id, why)
        except (Undeliverable, SlackApiError) as why:
            _log.warning("no answer in %s: %s", interaction.tenant.team_id, why)

    async def _run(self, interaction: SlackInteraction, heard: TextCommand) -> None:
        self.guilds.check(interaction.tenant)
        typed = plain_words(heard)
        if typed.wants_form and interaction.trigger_id:
            await self.answers.open_view(interaction, self._form(interaction, typed))
            return
        caller = await self.guilds.caller(interaction)
        try:
            message = await answer(typed.command, parse_text(typed.command, typed.text), caller, self.context)
        except InvalidRequest as error:
            form = None
            if typed.command.options and len(typed.text) <= BUTTON_VALUE:
                form = open_form_button(typed.command.name, typed.text)
            await self.answers.refuse(interaction, refusal(error), form=form)
        else:
            await self.answers.give(interaction, message)

    async def _submit(self, interaction: SlackInteraction, place: SlackModalState, view: Mapping[str, Any]) -> Message:
        caller = await self.guilds.caller(interaction)
        if place.call_id is not None:
            caller = replace(caller, direct=interaction.is_direct)
        client = await self.workspaces.client(interaction.tenant)
        files = {name: self.attachments.offered(handed, client) for name, handed in handed_over(view).items()}
        given: dict[str, Value] = {**entries(view), **files}
        if place.call_id is not None:
            return await submit_form(
                place.call_id, given, caller, self.context,
                lambda file: self.attachments.offered({"id": file.place, "name": file.name}, client),
            )  # fmt: skip
        filled = {name: value for name, value in given.items() if not isinstance(value, str) or value.strip()}
        return await answer(self.context.command(place.command), filled, caller, self.context)

    async def _take(
        self, interaction: SlackInteraction, body: Body, result: Message | Form | SendDirect | Remove | AlreadyHeard
    ) -> None:
        match result:
            case Message():
                await self.answers.give(interaction, result)
            case Form():
                place = interaction.form_state(result.command.name, result.call_id)
                await self.answers.open_view(interaction, form_view(result, place))
            case SendDirect():
                await self.answers.give_directly(interaction, result)
            case Remove():
                await self._remove(interaction, body)
            case AlreadyHeard():
                return
            case _:
                assert_never(result)

    async def _remove(self, interaction: SlackInteraction, body: Body) -> None:
        """Delete the message, and its files from the workspace; what is gone already was deleted by an earlier try."""
        client = await self.workspaces.client(interaction.tenant)
        container = body["container"]
        with unless_gone():
            await client.chat_delete(channel=container["channel_id"], ts=container["message_ts"])
        for block in (body.get("message") or {}).get("blocks", ()):
            if file_id := (block.get("slack_file") or {}).get("id"):
                with unless_gone():
                    await client.files_delete(file=file_id)
        await end_removal(self.context)

    def _asked_option(self, action_id: str) -> Option | None:
        """The option that a select asks for; None where this version has none such."""
        asked = option_of(action_id)
        found = None if asked is None else next((c for c in self.context.commands if c.name == asked[0]), None)
        return None if asked is None or found is None else found.option(asked[1])

    def _form(self, interaction: SlackInteraction, typed: TextCommand) -> Block:
        place = interaction.form_state(typed.command.name)
        title = self.chat.renderer.names.typed(typed.command)
        return modal(title, typed.command, fields_of(typed.command, readable_values(typed)), place)


def _clicked(body: Body) -> MessageId:
    """The message whose button was clicked."""
    container = body["container"]
    return MessageId(channel=container["channel_id"], ts=container["message_ts"])
