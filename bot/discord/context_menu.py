"""The context menu of an image in a message: show its metadata, start from it, or control with it."""

from collections.abc import Callable, Coroutine
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str

from bot.discord.answers import share_of
from bot.discord.attachments import is_discords, offered
from bot.discord.interactions import DiscordInteractionHandler
from handlers.commands.call import Caller
from handlers.images.image_forms import CHOSEN, ImageForm, control_form, start_form
from handlers.images.info import image_info
from handlers.messages.message import Message
from pipeline.errors import UserError
from storage.queue.pending_calls import ChosenFile

Interaction = discord.Interaction[Any]


def add_image_menu(tree: app_commands.CommandTree[Any], handler: DiscordInteractionHandler) -> None:
    """Add the message commands to `tree`."""

    async def info(interaction: Interaction, message: discord.Message) -> None:
        async def read(caller: Caller) -> Message:
            file = offered(_image(message), handler.download)
            return await image_info(file, share_of(interaction), handler.context, caller)

        await handler.say(interaction, read)

    def begin(form: ImageForm) -> Callable[[Interaction, discord.Message], Coroutine[Any, Any, None]]:
        async def open_form(interaction: Interaction, message: discord.Message) -> None:
            await handler.form(interaction, lambda caller: form(_chosen(message), caller, handler.context))

        return open_form

    for name, callback in (
        ("Picture info", info),
        ("Use as start image", begin(start_form)),
        ("Use as control", begin(control_form)),
    ):
        tree.add_command(
            app_commands.ContextMenu(
                name=locale_str(name),
                callback=callback,
                allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=False),
                allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
            )
        )


def _image(message: discord.Message) -> discord.Attachment:
    """The first image in `message`, which is on Discord's servers; raises UserError."""
    files = [file for file in message.attachments if (file.content_type or "").startswith("image/")]
    if not files:
        raise UserError("This message holds no picture; use it on one that does.")
    if not is_discords(files[0].url):
        raise UserError("This picture does not lie with Discord; send it as a file.")
    return files[0]


def _chosen(message: discord.Message) -> ChosenFile:
    """The image, fetched when its form comes back, which is long before Discord's link to it expires."""
    file = _image(message)
    return ChosenFile(option=CHOSEN, name=file.filename, size=file.size, place=file.url)
