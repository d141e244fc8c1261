"""The Home tab: what a member's own commands answer, one below the other."""

from dataclasses import dataclass
from typing import Final

from bot.slack.answers import open_form_button
from bot.slack.callers import Callers
from bot.slack.content import Block, section
from bot.slack.listeners import Ack, Body, Listeners
from bot.slack.visit import Visit
from bot.slack.workspaces import Workspaces
from handlers.answer import answer
from handlers.command import Audience
from handlers.studio import Studio
from pipeline.errors import UserError

# In the order in which they are shown; one that this version does not have is left out.
_SHOWN: Final = ("queue", "history", "lora list", "subjects", "privacy", "settings")
_MAX_BLOCKS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Draws the Home tab anew each time that a member looks at it."""

    studio: Studio
    callers: Callers
    workspaces: Workspaces
    listeners: Listeners

    async def opened(self, ack: Ack, body: Body) -> None:
        """Show it."""
        await ack()
        if body["event"].get("tab") != "home":
            return
        visit = Visit.of_event(body)
        async with self.listeners.told(visit):
            client = await self.workspaces.client(visit.tenant)
            blocks = await self._blocks(visit)
            await client.views_publish(user_id=visit.user_id, view={"type": "home", "blocks": blocks[:_MAX_BLOCKS]})

    async def _blocks(self, visit: Visit) -> list[Block]:
        caller = await self.callers.caller(visit)
        blocks: list[Block] = [{"type": "actions", "elements": [open_form_button("imagine")]}]
        for command in sorted(self.studio.commands, key=lambda command: _rank(command.name)):
            hidden = command.audience is Audience.ADMINS and not caller.member.is_admin
            if command.name not in _SHOWN or hidden:
                continue
            try:
                message = await answer(command, {}, caller, self.studio)
            except UserError as error:
                blocks += [{"type": "divider"}, section(self.listeners.chat.renderer.spell(str(error)))]
            else:
                blocks += [{"type": "divider"}, *self.listeners.chat.renderer.blocks(message)]
        return blocks


def _rank(name: str) -> int:
    return _SHOWN.index(name) if name in _SHOWN else len(_SHOWN)
