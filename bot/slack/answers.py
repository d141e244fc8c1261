"""How an answer reaches the requester: as a form, privately by the response URL, or as a job's status."""

import logging
from dataclasses import dataclass, replace
from typing import Any, Final

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.slack.chat_platform import SlackPlatform
from bot.slack.client import retry_handlers
from bot.slack.error_codes import SlackRefusal
from bot.slack.errors import delivery_errors, refusal_of
from bot.slack.interaction import SlackInteraction
from bot.slack.rendering import Block, SlackMessage, plain
from bot.slack.workspaces import NotInstalled, Workspaces
from handlers.commands.actions import SendDirect
from handlers.commands.typed import is_typed
from handlers.messages.chat_platform import Undeliverable
from handlers.messages.message import Message, Mood

_log = logging.getLogger(__name__)

OPEN_FORM: Final = "open-form"
BUTTON_VALUE: Final = 1900


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Answers an interaction; the response URL is used at once, since it would expire in a queue."""

    workspaces: Workspaces
    chat: SlackPlatform
    session: aiohttp.ClientSession

    async def give(self, interaction: SlackInteraction, message: Message) -> None:
        """Answer with a command's message; a job's status is posted by delivery, a moment later."""
        if message.job_id is not None:
            return
        content = await self.chat.content(interaction.reply, message)
        if message.files:
            await self.chat.send(interaction.reply, content, message.files)
            sent = Message(headline="Sent to you in a direct message.", private=True)
            await self.say(interaction, self.chat.renderer.content(sent), private=True)
        elif not message.private and (message.images or interaction.channel_id is None):
            await self.chat.send(interaction.reply, content)
        else:
            await self.say(interaction, content, private=message.private)

    async def give_directly(self, interaction: SlackInteraction, direct: SendDirect) -> None:
        """Write to the member directly; where Slack does not let us, show it here, to them alone."""
        content = await self.chat.content(interaction.reply, direct.message)
        try:
            await self.chat.send(replace(interaction.reply, private=True), content)
        except (Undeliverable, SlackApiError) as error:
            if isinstance(error, NotInstalled):
                raise
            _log.info("a direct message is not taken: %s", error)
            await self.say(interaction, content, private=True)
        else:
            await self.say(interaction, self.chat.renderer.content(Message(headline=direct.sent)), private=True)

    async def refuse(self, interaction: SlackInteraction, sentence: str, *, form: Block | None = None) -> None:
        """Tell the member alone what is wrong, with the button that opens the form where there is one."""
        words = self.chat.renderer.spell(sentence)
        content = self.chat.renderer.content(Message(headline=words, mood=Mood.FAILED))
        blocks = [*content.blocks, *([{"type": "actions", "elements": [form]}] if form else [])]
        await self.say(interaction, SlackMessage(text=content.text, blocks=blocks), private=True)

    async def say(self, interaction: SlackInteraction, content: SlackMessage, *, private: bool) -> None:
        """Post by the response URL, else in the channel visible to the member alone, else in a direct message."""
        if interaction.response_url and await self._respond(interaction.response_url, content, private=private):
            return
        with delivery_errors():
            client = await self.workspaces.client(interaction.tenant)
            if interaction.channel_id is not None:
                try:
                    await client.chat_postEphemeral(
                        channel=interaction.channel_id, user=interaction.user_id, thread_ts=interaction.thread_id,
                        text=content.text, blocks=content.blocks,
                    )  # fmt: skip
                except SlackApiError as error:
                    if refusal_of(error) is not SlackRefusal.CLOSED:
                        raise
                else:
                    return
            opened = await client.conversations_open(users=interaction.user_id)
            await client.chat_postMessage(channel=opened["channel"]["id"], text=content.text, blocks=content.blocks)

    async def open_view(self, interaction: SlackInteraction, view: Block) -> None:
        """Open a form; the trigger is valid for three seconds, so this comes first. Raises SlackApiError."""
        client = await self.workspaces.client(interaction.tenant)
        try:
            await client.views_open(trigger_id=interaction.trigger_id, view=view)
        except SlackApiError as error:
            # An earlier try of ours opened the form, and its answer was lost.
            if refusal_of(error) is not SlackRefusal.ANSWERED:
                raise

    async def _respond(self, url: str, content: SlackMessage, *, private: bool) -> bool:
        """Whether the response URL still accepted the answer."""
        webhook = AsyncWebhookClient(url, session=self.session, retry_handlers=retry_handlers())
        try:
            answer = await webhook.send(
                text=content.text,
                blocks=content.blocks,
                response_type="ephemeral" if private else "in_channel",
                replace_original=False,
                unfurl_links=False,
                unfurl_media=False,
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            _log.info("a response URL failed (%s); answering by the bot's token", type(error).__name__)
            return False
        return answer.status_code == 200


def open_form_button(command: str, text: str = "", label: str = "Open form") -> dict[str, Any]:
    """A button that opens a command's form with what was typed already, as far as that is text.

    It holds at most BUTTON_VALUE characters.
    """
    value = text if is_typed(text) else ""
    return {
        "type": "button",
        "action_id": f"{OPEN_FORM}:{command}",
        "text": plain(label, 75),
        "style": "primary",
        "value": value or " ",
    }
