"""The shortcuts of an image in a message: the form that made it, or /edit or /control with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bot.slack.answers import Answers
from bot.slack.attachments import Attachments
from bot.slack.interaction import SlackInteraction
from bot.slack.interactions import Ack, Body, SlackInteractionHandler
from bot.slack.modal import fields_of, form_view, modal, note
from bot.slack.rendering import Block
from bot.slack.workspaces import Workspaces
from handlers.images.image_forms import CHOSEN, ImageForm, control_form, start_form
from handlers.images.imagine import COMMAND
from handlers.images.info import file_options
from handlers.messages.refusal import refusal
from pipeline.errors import UserError
from storage.queue.pending_calls import ChosenFile

CALLBACK: Final = "use-picture"
START_CALLBACK: Final = "start-with-picture"
CONTROL_CALLBACK: Final = "follow-picture"
_TITLE: Final = "Use this picture"
_NO_IMAGE: Final = "There is no picture in that message; use the shortcut on one that has a picture."


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMenu:
    """Opens the form that made one of our images, by its metadata, and those that start from any image."""

    workspaces: Workspaces
    answers: Answers
    interactions: SlackInteractionHandler
    attachments: Attachments

    async def used(self, ack: Ack, body: Body) -> None:
        """Open a form at once, since the trigger does not wait; fill it once the image has been read."""
        await ack()
        interaction = SlackInteraction.of_interactivity(body)
        async with self.interactions.reporting_errors(interaction):
            self.interactions.guilds.check(interaction.tenant)
            client = await self.workspaces.client(interaction.tenant)
            opened = await client.views_open(
                trigger_id=interaction.trigger_id, view=note(_TITLE, "Looking at the picture …")
            )
            try:
                view = await self._form(interaction, body["message"])
            except UserError as error:
                view = note(_TITLE, refusal(error))
            await client.views_update(view_id=opened["view"]["id"], view=view)

    async def begun(self, ack: Ack, body: Body) -> None:
        """Open the form of /edit for the image, which is fetched and checked when the form comes back."""
        await self._begin(ack, body, start_form)

    async def followed(self, ack: Ack, body: Body) -> None:
        """Open the form of /control for the image, which is fetched and checked when the form comes back."""
        await self._begin(ack, body, control_form)

    async def _begin(self, ack: Ack, body: Body, form: ImageForm) -> None:
        await ack()
        interaction = SlackInteraction.of_interactivity(body)
        async with self.interactions.reporting_errors(interaction):
            file_id = _file_id(body["message"])
            view = note(_TITLE, _NO_IMAGE) if file_id is None else await self._chosen_form(interaction, file_id, form)
            await self.answers.open_view(interaction, view)

    async def _chosen_form(self, interaction: SlackInteraction, file_id: str, form: ImageForm) -> Block:
        image = ChosenFile(option=CHOSEN, name="picture", size=0, place=file_id)
        caller = await self.interactions.guilds.caller(interaction)
        opened = await form(image, caller, self.interactions.context)
        return form_view(opened, interaction.form_state(opened.command.name, opened.call_id))

    async def _form(self, interaction: SlackInteraction, message: Mapping[str, Any]) -> Block:
        file_id = _file_id(message)
        if file_id is None:
            raise UserError(_NO_IMAGE)
        client = await self.workspaces.client(interaction.tenant)
        file = self.attachments.offered({"id": file_id}, client)
        caller = await self.interactions.guilds.caller(interaction)
        try:
            options = await file_options(file, caller, self.interactions.context)
        except UserError:
            return await self._chosen_form(interaction, file_id, start_form)
        values = options.texts()
        return modal(_TITLE, COMMAND, fields_of(COMMAND, values), interaction.form_state(COMMAND.name))


def _file_id(message: Mapping[str, Any]) -> str | None:
    """The first image of a message: one that a member uploaded, or one in our blocks."""
    for file in message.get("files") or ():
        return str(file["id"])
    for block in message.get("blocks") or ():
        if block.get("type") == "image" and "slack_file" in block:
            return str(block["slack_file"]["id"])
    return None
