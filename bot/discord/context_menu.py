"""The context menu of an image in a message: show its metadata, start from it, or control with it."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

import discord
from discord import app_commands
from discord.app_commands import locale_str

from bot.discord.attachments import is_discords
from bot.discord.interactions import DiscordInteractionHandler
from handlers.images.image_forms import CHOSEN, ImageForm, control_form, start_form
from handlers.images.info import image_info
from handlers.messages.message import Message
from pipeline.errors import UserError
from storage.queue.pending_calls import ChosenFile

MAX_BYTES: Final = 25 * 2**20

Interaction = discord.Interaction[Any]


def add_image_menu(tree: app_commands.CommandTree[Any], handler: DiscordInteractionHandler) -> None:
    """Add the message commands to `tree`."""

    async def info(interaction: Interaction, message: discord.Message) -> None:
        async def read() -> Message:
            return image_info(await read_image(message))

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


async def read_image(message: discord.Message) -> bytes:
    """The bytes of the first image in `message`; raises UserError where there is none that may be read."""
    file = _image(message)
    if file.size > MAX_BYTES:
        raise UserError(f"The picture is too large to read: {file.size / 2**20:.1f} of {MAX_BYTES / 2**20:.0f} MB.")
    try:
        return await file.read()
    except (discord.NotFound, discord.Forbidden):
        raise UserError("Discord no longer has this picture; send it again.") from None


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
