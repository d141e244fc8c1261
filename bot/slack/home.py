"""The Home tab: links to a member's images, and the answers of the commands about themselves."""

import logging
from dataclasses import dataclass
from typing import Final

from slack_sdk.errors import SlackApiError

from bot.slack.answers import open_form_button
from bot.slack.client import RateLimitedClient
from bot.slack.errors import code_of
from bot.slack.guilds import SlackGuilds
from bot.slack.interaction import SlackInteraction
from bot.slack.interactions import Ack, Body, SlackInteractionHandler
from bot.slack.message_ids import MessageId
from bot.slack.rendering import Block, section
from bot.slack.workspaces import Workspaces
from handlers.commands.call import Caller
from handlers.commands.command import Audience
from handlers.commands.context import AppContext
from handlers.commands.dispatch import answer
from handlers.messages.refusal import refusal
from pipeline.errors import UserError
from storage.queue.jobs import Job, JobState

_log = logging.getLogger(__name__)

# In the order in which they are shown; one that this version does not have is left out.
_SHOWN: Final = ("queue", "history", "lora list", "subject list", "privacy", "settings")
_MAX_BLOCKS: Final = 100
_LINKS: Final = 10
_TITLE: Final = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeTab:
    """Draws the Home tab each time that a member opens it."""

    context: AppContext
    guilds: SlackGuilds
    workspaces: Workspaces
    interactions: SlackInteractionHandler

    async def opened(self, ack: Ack, body: Body) -> None:
        """Show it."""
        await ack()
        if body["event"].get("tab") != "home":
            return
        interaction = SlackInteraction.of_event(body)
        async with self.interactions.reporting_errors(interaction):
            client = await self.workspaces.client(interaction.tenant)
            blocks = await self._blocks(interaction)
            await client.views_publish(
                user_id=interaction.user_id, view={"type": "home", "blocks": blocks[:_MAX_BLOCKS]}
            )

    async def _blocks(self, interaction: SlackInteraction) -> list[Block]:
        caller = await self.guilds.caller(interaction)
        elements = [open_form_button("imagine", label="Make a picture")]
        if caller.member.is_admin:
            elements.append(open_form_button("settings", label="Change settings"))
        blocks: list[Block] = [{"type": "actions", "elements": elements}, *await self._images(interaction, caller)]
        for command in sorted(self.context.commands, key=lambda command: _rank(command.name)):
            hidden = command.audience is Audience.ADMINS and not caller.member.is_admin
            if command.name not in _SHOWN or hidden:
                continue
            try:
                message = await answer(command, {}, caller, self.context)
            except UserError as error:
                blocks += [{"type": "divider"}, section(self.interactions.chat.renderer.spell(refusal(error)))]
            else:
                blocks += [{"type": "divider"}, *self.interactions.chat.renderer.blocks(message)]
        return blocks

    async def _images(self, interaction: SlackInteraction, caller: Caller) -> list[Block]:
        """Links to the newest messages that hold the member's images, as far as they still exist."""
        client = await self.workspaces.client(interaction.tenant)
        done = await self.context.queue.member_jobs(
            caller.guild.id, caller.member.id, states=(JobState.DONE,), limit=_LINKS
        )
        links = [link for job in done if (link := await self._link(client, job)) is not None]
        if not links:
            return []
        items = [{"type": "rich_text_section", "elements": [link]} for link in links]
        bullets = {"type": "rich_text_list", "style": "bullet", "elements": items}
        return [{"type": "divider"}, section("Where your pictures are"), {"type": "rich_text", "elements": [bullets]}]

    async def _link(self, client: RateLimitedClient, job: Job) -> Block | None:
        """A link by the job's title, which a rich text shows as it is; None where the message is gone."""
        posted = await self.context.outbox.posted_as(job.id)
        if posted is None:
            return None
        place = MessageId.parse(posted)
        try:
            answer = await client.chat_getPermalink(channel=place.channel, message_ts=place.ts)
        except SlackApiError as error:
            _log.info("no link to the pictures of job %d: %s", job.id, code_of(error))
            return None
        return {"type": "link", "url": answer["permalink"], "text": self.context.jobs.title(job)[:_TITLE]}


def _rank(name: str) -> int:
    return _SHOWN.index(name) if name in _SHOWN else len(_SHOWN)
