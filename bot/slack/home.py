"""The Home tab: links to a member's images, and the answers of the commands about themselves."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from bot.slack.answers import open_form_button
from bot.slack.client import RateLimitedClient
from bot.slack.errors import delivery_errors
from bot.slack.guilds import SlackGuilds
from bot.slack.interaction import SlackInteraction
from bot.slack.interactions import Ack, Body, SlackInteractionHandler
from bot.slack.message_ids import MessageId
from bot.slack.permalinks import Permalinks, permalink
from bot.slack.rendering import Block, section
from bot.slack.tenant import Tenant
from bot.slack.workspaces import Workspaces
from handlers.commands.call import Caller
from handlers.commands.command import Audience
from handlers.commands.context import AppContext
from handlers.commands.dispatch import answer
from handlers.messages.chat_platform import TryLater
from handlers.messages.refusal import refusal
from pipeline.errors import UserError
from storage.queue.jobs import Job, JobState

# In the order in which they are shown; one that this version does not have is left out.
_SHOWN: Final = ("queue", "history", "lora list", "subject list", "privacy", "settings")
_MAX_BLOCKS: Final = 100
_LINKS: Final = 10
_TITLE: Final = 150
_TRIES: Final = 3
_LONGEST_WAIT_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeTab:
    """Draws the Home tab each time that a member opens it."""

    context: AppContext
    guilds: SlackGuilds
    workspaces: Workspaces
    interactions: SlackInteractionHandler
    permalinks: Permalinks
    _opened: set[tuple[str, str]] = field(default_factory=set)
    _drawing: set[tuple[str, str]] = field(default_factory=set)

    async def opened(self, ack: Ack, body: Body) -> None:
        """Show it; what is opened while it is drawn is drawn once more, however often."""
        await ack()
        if body["event"].get("tab") != "home":
            return
        interaction = SlackInteraction.of_event(body)
        key = (interaction.tenant.text, interaction.user_id)
        self._opened.add(key)
        if key in self._drawing:
            return
        self._drawing.add(key)
        try:
            while key in self._opened:
                self._opened.discard(key)
                async with self.interactions.reporting_errors(interaction):
                    await self._draw(interaction)
        finally:
            self._drawing.discard(key)

    async def _draw(self, interaction: SlackInteraction) -> None:
        """Draw it as it is now, a few times later where Slack cannot take it yet."""
        for tries_left in reversed(range(_TRIES)):
            try:
                with delivery_errors():
                    client = await self.workspaces.client(interaction.tenant)
                    view = {"type": "home", "blocks": (await self._blocks(interaction))[:_MAX_BLOCKS]}
                    await client.views_publish(user_id=interaction.user_id, view=view)
            except TryLater as later:
                if not tries_left:
                    raise
                await asyncio.sleep(min(later.seconds, _LONGEST_WAIT_SECONDS))
            else:
                return

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
        """Links to the newest messages that hold the member's images."""
        client = await self.workspaces.client(interaction.tenant)
        done = await self.context.queue.member_jobs(
            caller.guild.id, caller.member.id, states=(JobState.DONE,), limit=_LINKS
        )
        links = await self._links(client, interaction.tenant, done)
        if not links:
            return []
        items = [{"type": "rich_text_section", "elements": [link]} for link in links]
        bullets = {"type": "rich_text_list", "style": "bullet", "elements": items}
        return [{"type": "divider"}, section("Where your pictures are"), {"type": "rich_text", "elements": [bullets]}]

    async def _links(self, client: RateLimitedClient, tenant: Tenant, jobs: tuple[Job, ...]) -> list[Block]:
        """A link by each job's title, which a rich text shows as it is; none for what was not posted."""
        posted = await self.context.outbox.posted([job.id for job in jobs])
        places = {job_id: MessageId.parse(reply.message_id or "") for job_id, reply in posted.items()}
        newest = next((places[job.id] for job in jobs if job.id in places), None)
        origin = None if newest is None else await self.permalinks.origin(client, tenant, newest)
        if origin is None:
            return []
        found = []
        for job in jobs:
            if (place := places.get(job.id)) is not None:
                reply = posted[job.id]
                url = permalink(origin, place, reply.thread_id if place.channel == reply.channel_id else None)
                found.append({"type": "link", "url": url, "text": self.context.jobs.title(job)[:_TITLE]})
        return found


def _rank(name: str) -> int:
    return _SHOWN.index(name) if name in _SHOWN else len(_SHOWN)
