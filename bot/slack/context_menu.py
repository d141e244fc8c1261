"""Shortcuts on messages: a picture's own form again, that of /edit to begin with it, that of /control to follow it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bot.slack.answers import Answers
from bot.slack.attachments import Inbox
from bot.slack.interaction import Visit
from bot.slack.interactions import Ack, Body, Listeners
from bot.slack.modal import FormPlace, fields_of, form_view, modal
from bot.slack.rendering import Block, plain, section
from bot.slack.workspaces import Workspaces
from handlers.commands.arguments import value_text
from handlers.images.image_forms import CHOSEN, ImageForm, control_form, start_form
from handlers.images.imagine import COMMAND, request_values
from pipeline.errors import UserError
from pipeline.images.metadata import read
from storage.queue.pending_calls import ChosenFile

CALLBACK: Final = "use-picture"
START_CALLBACK: Final = "start-with-picture"
CONTROL_CALLBACK: Final = "follow-picture"
_TITLE: Final = "Use this picture"
_NO_IMAGE: Final = "There is no picture in that message; use the shortcut on one that has a picture."


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageShortcut:
    """Reads the story that a picture of ours carries; begins with any picture."""

    workspaces: Workspaces
    answers: Answers
    listeners: Listeners
    inbox: Inbox

    async def used(self, ack: Ack, body: Body) -> None:
        """Open a form at once, since the trigger does not wait; fill it when the picture was looked at."""
        await ack()
        visit = Visit.of_interaction(body)
        async with self.listeners.told(visit):
            client = await self.workspaces.client(visit.tenant)
            opened = await client.views_open(trigger_id=visit.trigger_id, view=_note("Looking at the picture …"))
            try:
                view = await self._form(visit, body["message"])
            except UserError as error:
                view = _note(str(error))
            await client.views_update(view_id=opened["view"]["id"], view=view)

    async def begun(self, ack: Ack, body: Body) -> None:
        """Open the form of /edit for the picture, which is fetched and looked at when the form comes back."""
        await self._begin(ack, body, start_form)

    async def followed(self, ack: Ack, body: Body) -> None:
        """Open the form of /control for the picture, as above."""
        await self._begin(ack, body, control_form)

    async def _begin(self, ack: Ack, body: Body, form: ImageForm) -> None:
        await ack()
        visit = Visit.of_interaction(body)
        async with self.listeners.told(visit):
            file_id = _file_id(body["message"])
            view = _note(_NO_IMAGE) if file_id is None else await self._chosen_form(visit, file_id, form)
            await self.answers.open_view(visit, view)

    async def _chosen_form(self, visit: Visit, file_id: str, form: ImageForm) -> Block:
        image = ChosenFile(option=CHOSEN, name="picture", size=0, place=file_id)
        caller = await self.listeners.callers.caller(visit)
        return form_view(await form(image, caller, self.listeners.context), visit.channel_id, visit.thread_id)

    async def _form(self, visit: Visit, message: Mapping[str, Any]) -> Block:
        file_id = _file_id(message)
        if file_id is None:
            raise UserError(_NO_IMAGE)
        client = await self.workspaces.client(visit.tenant)
        file = (await client.files_info(file=file_id))["file"]
        data = await self.inbox.image(file, client.token or "")
        try:
            story = await asyncio.to_thread(read, data)
        except UserError:
            return await self._chosen_form(visit, file_id, start_form)
        values = {name: value_text(value) for name, value in request_values(story.request()).items()}
        place = FormPlace(command=COMMAND.name, call_id=None, channel_id=visit.channel_id, thread_id=visit.thread_id)
        return modal(_TITLE, COMMAND, fields_of(COMMAND, values), place)


def _file_id(message: Mapping[str, Any]) -> str | None:
    """The first picture of a message: one that a member uploaded, or one that stands in our blocks."""
    for file in message.get("files") or ():
        return str(file["id"])
    for block in message.get("blocks") or ():
        if block.get("type") == "image" and "slack_file" in block:
            return str(block["slack_file"]["id"])
    return None


def _note(words: str) -> Block:
    return {"type": "modal", "title": plain(_TITLE, 24), "close": plain("Close", 24), "blocks": [section(words)]}
