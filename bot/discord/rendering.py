"""Messages in Discord's form: components v2, or embeds and buttons where those are refused."""

import io
import re
from dataclasses import dataclass
from typing import Any, Final

import discord
from discord import ui
from discord.utils import escape_markdown, escape_mentions

from handlers.buttons import button_id
from handlers.commands.groups import split_call
from handlers.messages.message import Attachment, Bar, Button, Message, Mood, PointedKind, Pointers, ShownImage, Verb
from handlers.registry import COMMANDS

_SYMBOLS: Final = {Mood.WAITING: "⏳ ", Mood.WORKING: "🎨 ", Mood.FAILED: "⚠️ ", Mood.DONE: "", Mood.CALM: ""}
_COLOURS: Final = {
    Mood.WAITING: discord.Colour.light_grey(),
    Mood.WORKING: discord.Colour.gold(),
    Mood.DONE: discord.Colour.teal(),
    Mood.FAILED: discord.Colour.red(),
    Mood.CALM: discord.Colour.blurple(),
}
_DANGEROUS: Final = (Verb.CANCEL, Verb.DELETE)
_BAR_BLOCKS: Final = 12
_MAX_HEADLINE: Final = 400
_MAX_ALT_TEXT: Final = 1024
# Discord allows 4000 characters of text a message; this leaves room for the rest.
# `:fire:` is an emoji, and so is the middle of `<lora:fire:1>`.
_SHORT_CODE: Final = re.compile(r":(?=[\w+\\-]{1,100}:)", re.ASCII)
_MAX_TEXT: Final = 3900
_MAX_CODE: Final = 2500
_CODE_FILE: Final = "command.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordMessage:
    """A message as the arguments of a send or an edit; each call makes new `files`, since sending reads them."""

    view: ui.LayoutView | ui.View
    embeds: tuple[discord.Embed, ...]
    images: tuple[ShownImage, ...]
    attachments: tuple[Attachment, ...] = ()
    mentions: int | None = None

    @property
    def is_legacy(self) -> bool:
        """Whether this is the form with embeds."""
        return bool(self.embeds)

    def files(self) -> list[discord.File]:
        """The files to upload."""
        others = [_Upload(io.BytesIO(file.data), file.file_name) for file in self.attachments]
        return [_file(image) for image in self.images] + others

    def allowed_mentions(self) -> discord.AllowedMentions:
        """Nobody, or the one member to notify."""
        users = False if self.mentions is None else [snowflake(self.mentions)]
        return discord.AllowedMentions(everyone=False, roles=False, replied_user=False, users=users)

    def as_new(self) -> dict[str, Any]:
        """The arguments of a send."""
        arguments = {"view": self.view, "files": self.files(), "allowed_mentions": self.allowed_mentions()}
        return {**arguments, "embeds": list(self.embeds)} if self.is_legacy else arguments

    def as_edit(self) -> dict[str, Any]:
        """The arguments of an edit, which replaces all of the message, images too."""
        arguments = {"view": self.view, "attachments": self.files(), "allowed_mentions": self.allowed_mentions()}
        return {**arguments, "content": None, "embeds": list(self.embeds)}


class _Upload(discord.File):
    """A file whose id in the message is a string, as Discord's API document asks."""

    def to_dict(self, index: int) -> dict[str, Any]:
        """The description of the file in the message."""
        return {**super().to_dict(index), "id": str(index)}


def snowflake(number: str | int) -> discord.Object:
    """An object with an id that discord.py sends as a string, as Discord's API document asks."""
    somebody = discord.Object(int(number))
    somebody.id = str(number)  # type: ignore[assignment] # see above
    return somebody


def render(message: Message, mentions: int | None = None) -> DiscordMessage:
    """The message in components v2: a container with its words, its gallery and its buttons."""
    container: ui.Container[Any] = ui.Container(accent_colour=_COLOURS[message.mood])
    container.add_item(ui.TextDisplay(_words(message, mentions)))
    attachments = message.files
    if len(message.code) > _MAX_CODE:
        attachments += (Attachment(data=message.code.encode(), file_name=_CODE_FILE),)
    elif message.code:
        container.add_item(ui.TextDisplay(_code(message.code)))
    for attachment in attachments:
        container.add_item(ui.File(f"attachment://{attachment.file_name}"))
    if message.images:
        items = [
            discord.MediaGalleryItem(
                f"attachment://{_name(image)}", description=_alt_text(image), spoiler=image.spoiler
            )
            for image in message.images
        ]
        container.add_item(ui.MediaGallery(*items))
    for row in message.buttons:
        container.add_item(ui.ActionRow(*(_button(button) for button in row)))
    if message.footer:
        container.add_item(ui.TextDisplay(f"-# {escaped(message.footer)}"))
    view = ui.LayoutView(timeout=None)
    view.add_item(container)
    view.stop()  # buttons are found by their ids, so that nothing of the message stays in memory
    return DiscordMessage(view=view, embeds=(), images=message.images, attachments=attachments, mentions=mentions)


def render_legacy(message: Message, mentions: int | None = None) -> DiscordMessage:
    """The message as embeds, one for each image, with the buttons below."""
    words = _words(message, mentions)
    if message.code:
        words += "\n" + _code(message.code[:_MAX_CODE])
    first = discord.Embed(description=words, colour=_COLOURS[message.mood])
    if message.footer:
        first.set_footer(text=message.footer)
    embeds = [first, *(discord.Embed(colour=_COLOURS[message.mood]) for _ in message.images[1:])]
    for embed, image in zip(embeds, message.images, strict=False):  # without an image there is still one embed
        embed.set_image(url=f"attachment://{_name(image)}")
    view = ui.View(timeout=None)
    for row, buttons in enumerate(message.buttons):
        for button in buttons:
            view.add_item(_button(button, row))
    view.stop()
    return DiscordMessage(
        view=view, embeds=tuple(embeds), images=message.images, attachments=message.files, mentions=mentions
    )


def escaped(text: str) -> str:
    """Text without effect: no markdown, no mention, no emoji."""
    return _SHORT_CODE.sub(r"\:", escape_mentions(escape_markdown(text)))


def bar_text(bar: Bar) -> str:
    """The bar in blocks."""
    full = round(bar.fraction * _BAR_BLOCKS)
    return "▓" * full + "░" * (_BAR_BLOCKS - full)


def _words(message: Message, mentions: int | None) -> str:
    headline = message.headline
    if len(headline) > _MAX_HEADLINE:
        headline = headline[: _MAX_HEADLINE - 1] + "…"
    lines = [f"{_SYMBOLS[message.mood]}**{escaped(headline)}**"]
    if mentions is not None:
        lines.insert(0, f"<@{mentions}>")
    body = [escaped(line) for line in message.lines]
    if message.bar is not None and body:
        body[0] = f"{bar_text(message.bar)}  {body[0]}"
    text = "\n".join([*lines, *body, *map(_pointed, message.pointers)])
    room = _MAX_TEXT - (len(message.code) if len(message.code) <= _MAX_CODE else 0)
    return text if len(text) <= room else text[: room - 1] + "…"


def _pointed(pointers: Pointers) -> str:
    """Discord's own links, which it shows by name; `allowed_mentions` keeps them from notifying anybody."""
    marks = {PointedKind.CHANNEL: "#", PointedKind.ROLE: "@&", PointedKind.MEMBER: "@"}
    names = [f"<{marks[pointers.kind]}{one}>" for one in pointers.ids]
    return f"{escaped(pointers.label)}: {', '.join(names)}"


def _code(text: str) -> str:
    text = _pasteable(text)
    return "```\n" + text.replace("```", "`\u200b``") + "\n```"


def _pasteable(text: str) -> str:
    """A command as one types it in Discord: its free text, flags included, is the value of an option."""
    found = split_call(text, COMMANDS) if text.startswith("/") else None
    if found is None or (free := found[0].rest) is None:
        return text
    return f"/{found[0].name} {free.name}:{found[1]}"


def _button(button: Button, row: int | None = None) -> ui.Button[Any]:
    style = discord.ButtonStyle.danger if button.verb in _DANGEROUS else discord.ButtonStyle.secondary
    return ui.Button(label=button.label, style=style, custom_id=button_id(button), row=row)


def _file(image: ShownImage) -> discord.File:
    return _Upload(io.BytesIO(image.data), image.file_name, spoiler=image.spoiler, description=_alt_text(image))


def _name(image: ShownImage) -> str:
    """The file's name as Discord keeps it."""
    return f"SPOILER_{image.file_name}" if image.spoiler else image.file_name


def _alt_text(image: ShownImage) -> str:
    return image.alt_text[:_MAX_ALT_TEXT]
