"""Messages in Slack's form: blocks to look at, and text for notifications and screen readers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.slack.command_names import CommandNames
from handlers.buttons import button_id
from handlers.commands.command import Command
from handlers.messages.message import Bar, Button, Message, Mood, PointedKind, Pointers, ShownImage, Verb

Block = dict[str, Any]

_SYMBOLS: Final = {Mood.WAITING: "⏳ ", Mood.WORKING: "🎨 ", Mood.FAILED: "⚠️ ", Mood.DONE: "", Mood.CALM: ""}
_SECTION: Final = 3000
_ALT_TEXT: Final = 2000
_BUTTON_TEXT: Final = 75
_CODE: Final = 2900
_TEXT: Final = 3000
_BAR_WIDTH: Final = 12
_ENTITIES: Final = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
_MESSAGE_BLOCKS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackMessage:
    """A message to send: text and blocks always together, since an edit without blocks removes them."""

    text: str
    blocks: list[Block]


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderer:
    """Renders messages, with commands by their names in Slack."""

    names: CommandNames
    commands: tuple[Command, ...]

    def content(self, message: Message, file_ids: Sequence[str] = (), note: str = "") -> SlackMessage:
        """The message, with its images by the ids of their files and a small `note` at the end."""
        blocks = self.blocks(message, file_ids)
        if note:
            blocks = [*blocks[: _MESSAGE_BLOCKS - 1], context(note)]
        return SlackMessage(text=escaped(self._plain(message))[:_TEXT], blocks=blocks)

    def blocks(self, message: Message, file_ids: Sequence[str] = ()) -> list[Block]:
        """The message's blocks."""
        found = [section(self._headline(message))]
        body = "\n".join(self.spell(line) for line in message.lines)
        if message.bar is not None:
            body = f"{bar(message.bar)}  {body}"
        if body:
            found.append(section(body))
        found += [_pointed(self.spell(pointers.label), pointers) for pointers in message.pointers]
        if message.code:
            found.append(_code(self.spell(message.code)))
        shown = zip(message.images, file_ids, strict=False)
        found += [_image(image, file_id) for image, file_id in shown]
        found += [_actions(row) for row in message.buttons]
        if message.footer:
            found.append(context(message.footer))
        return found

    def spell(self, text: str) -> str:
        """`text` with the commands as they are typed here."""
        return self.names.spell(text, self.commands)

    def _headline(self, message: Message) -> str:
        # A job's headline is its prompt: a member's text, which stays as it is.
        words = message.headline if message.job_id is not None else self.spell(message.headline)
        return _SYMBOLS[message.mood] + words

    def _plain(self, message: Message) -> str:
        return "\n".join([self._headline(message), *(self.spell(line) for line in message.lines)])


def section(text: str) -> Block:
    """A paragraph in plain text, so that it can neither mention nor format anything."""
    return {"type": "section", "text": plain(text, _SECTION)}


def context(text: str) -> Block:
    """A small closing line."""
    return {"type": "context", "elements": [plain(text, _SECTION)]}


def plain(text: str, limit: int) -> Block:
    """A text object of at most `limit` characters."""
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    return {"type": "plain_text", "text": shown or " ", "emoji": False}


def escaped(text: str) -> str:
    """Text that can neither mention nor link: Slack reads only these three characters."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def unescaped(text: str) -> str:
    """Slack escapes three characters in what members type."""
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return text


def bar(progress: Bar) -> str:
    """Progress in characters that every client shows."""
    full = round(progress.fraction * _BAR_WIDTH)
    return "▓" * full + "░" * (_BAR_WIDTH - full)


def _pointed(label: str, pointers: Pointers) -> Block:
    """Slack's own links, which it shows by name."""
    marks = {PointedKind.CHANNEL: "#", PointedKind.ROLE: "!subteam^", PointedKind.MEMBER: "@"}
    names = [f"<{marks[pointers.kind]}{one}>" for one in pointers.ids]
    text = f"{escaped(label)}: {', '.join(names)}"
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:_SECTION], "verbatim": True}}


def _code(text: str) -> Block:
    preformatted = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text[:_CODE]}]}
    return {"type": "rich_text", "elements": [preformatted]}


def _image(image: ShownImage, file_id: str) -> Block:
    return {"type": "image", "slack_file": {"id": file_id}, "alt_text": image.alt_text[:_ALT_TEXT] or "A picture"}


def _actions(row: tuple[Button, ...]) -> Block:
    return {"type": "actions", "elements": [_button(button) for button in row]}


def _button(button: Button) -> Block:
    drawn: Block = {"type": "button", "action_id": button_id(button), "text": plain(button.label, _BUTTON_TEXT)}
    if button.verb is Verb.DELETE:
        drawn["style"] = "danger"
        drawn["confirm"] = _DELETE_CONFIRMATION
    return drawn


_DELETE_CONFIRMATION: Final[Block] = {
    "title": plain("Delete these pictures?", 100),
    "text": plain("They are taken away for everyone and cannot be brought back.", 300),
    "confirm": plain("Delete", 30),
    "deny": plain("Keep", 30),
}
