"""How an answer goes back to who asked: into their form, privately by the response URL, or as a job's status."""

import logging
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.slack.chat_platform import SlackPlatform
from bot.slack.client import retry_handlers
from bot.slack.errors import Trouble, code_of, delivery_errors, trouble_of
from bot.slack.interaction import Visit
from bot.slack.rendering import Block, Content, plain
from bot.slack.workspaces import Workspaces
from handlers.messages.message import Message, Mood

_log = logging.getLogger(__name__)

OPEN_FORM: Final = "open-form"
_BUTTON_VALUE: Final = 1900


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Says things to a visitor; the response URL is used only now, since it does not outlive a queue."""

    workspaces: Workspaces
    chat: SlackPlatform
    session: aiohttp.ClientSession

    async def give(self, visit: Visit, message: Message) -> None:
        """Answer with what a command said; a job's status is not posted here but by delivery, a moment later."""
        if message.job_id is not None:
            return
        if message.files:
            await self.chat.send(visit.reply, message)
            sent = Message(headline="Sent to you in a direct message.", private=True)
            await self.say(visit, self.chat.renderer.content(sent), private=True)
        elif message.images or (visit.channel_id is None and not message.private):
            await self.chat.send(visit.reply, message)
        else:
            await self.say(visit, self.chat.renderer.content(message), private=message.private)

    async def refuse(self, visit: Visit, sentence: str, *, form: Block | None = None) -> None:
        """Tell the visitor alone what is wrong, with the button that mends it where there is one."""
        words = self.chat.renderer.spell(sentence)
        content = self.chat.renderer.content(Message(headline=words, mood=Mood.FAILED))
        blocks = [*content.blocks, *([{"type": "actions", "elements": [form]}] if form else [])]
        await self.say(visit, Content(text=content.text, blocks=blocks), private=True)

    async def say(self, visit: Visit, content: Content, *, private: bool) -> None:
        """By the response URL, else in the channel for the visitor alone, else in a direct message."""
        if visit.response_url and await self._respond(visit.response_url, content, private=private):
            return
        with delivery_errors():
            client = await self.workspaces.client(visit.tenant)
            if visit.channel_id is not None:
                try:
                    await client.chat_postEphemeral(
                        channel=visit.channel_id, user=visit.user_id, thread_ts=visit.thread_id,
                        text=content.text, blocks=content.blocks,
                    )  # fmt: skip
                except SlackApiError as error:
                    if trouble_of(error) is not Trouble.CLOSED:
                        raise
                else:
                    return
            opened = await client.conversations_open(users=visit.user_id)
            await client.chat_postMessage(channel=opened["channel"]["id"], text=content.text, blocks=content.blocks)

    async def open_view(self, visit: Visit, view: Block) -> None:
        """Open a form; the trigger lives three seconds, so this is the first thing to be done."""
        client = await self.workspaces.client(visit.tenant)
        try:
            await client.views_open(trigger_id=visit.trigger_id, view=view)
        except SlackApiError as error:
            if code_of(error) not in {"expired_trigger_id", "exchanged_trigger_id"}:
                raise
            await self.refuse(visit, "The form took too long to open; please ask for it again.")

    async def _respond(self, url: str, content: Content, *, private: bool) -> bool:
        """Whether the response URL still took the answer."""
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
    """A button that opens a command's form with what was typed already."""
    return {
        "type": "button",
        "action_id": f"{OPEN_FORM}:{command}",
        "text": plain(label, 75),
        "style": "primary",
        "value": text[:_BUTTON_VALUE] or " ",
    }
