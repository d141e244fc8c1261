"""People on the fake Discord: they type commands, click and look at what came."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from simcord.backend import serializers
from simcord.backend.models import Interaction, Message
from simcord.interactions import base_payload, store_interaction_attachment

from tests.eventually import eventually
from tests.wire.discord.fake_discord import FakeDiscord

_COMMAND, _COMPONENT, _MODAL = 2, 3, 5
_TEXT_INPUT = 4
_KINDS = {str: 3, int: 4, bool: 5, tuple: 11}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server with one channel."""

    discord: FakeDiscord
    guild_id: int
    channel_id: int

    def messages(self) -> list[Message]:
        """What everybody sees in the channel, oldest first."""
        return [
            message
            for _, message in sorted(self.discord.backend.messages.get(self.channel_id, {}).items())
            if not message.is_ephemeral
        ]

    async def images(self, count: int) -> list[Message]:
        """The messages with images, once there are `count`."""

        async def look() -> list[Message] | None:
            found = [m for m in self.messages() if m.attachments and "Delete" in labels(m)]
            return found if len(found) >= count else None

        return await eventually(look)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A member of a server."""

    server: Server
    id: int

    def slash(self, name: str, /, **options: str | int | bool | tuple[str, bytes]) -> Interaction:
        """Type a command of one word or two, with files as a name and bytes; returns the record of the interaction."""
        backend = self.server.discord.backend
        head, _, action = name.partition(" ")
        resolved: dict[str, Any] = {}
        given: list[dict[str, Any]] = []
        for key, value in options.items():
            held: str | int
            if isinstance(value, tuple):
                held = store_interaction_attachment(backend, self.server.channel_id, *value, resolved)
            else:
                held = value
            given.append({"name": key, "type": _KINDS[type(value)], "value": held})
        if action:
            given = [{"name": action, "type": 1, "options": given}]
        command = backend.commands[None][head, 1]
        data = {"id": command["id"], "name": head, "type": 1, "options": given, "resolved": resolved}
        return self._send(_COMMAND, data)

    def click(self, message: Message, label: str) -> Interaction:
        """Click a button of a message, in the server or in direct messages."""
        button = next(part for part in flat(message.components) if part.get("label") == label)
        return self.forge(message, button["custom_id"])

    def forge(self, message: Message, custom_id: str) -> Interaction:
        """Click a button that the message may never have had."""
        payload = dict(serializers.message_payload(self.server.discord.backend, message))
        data = {"custom_id": custom_id, "component_type": 2}
        return self._send(_COMPONENT, data, channel_id=message.channel_id, message=payload)

    async def fill(self, interaction: Interaction, **values: str) -> Interaction:
        """Write `values` over what stands in the modal that `interaction` opened, by the fields' ids, and send it."""

        async def look() -> dict[str, Any] | None:
            return interaction.modal

        modal = await eventually(look)
        parts = [{**label, "component": _entry(label["component"], values)} for label in modal["components"]]
        assert not values, f"the form has no field {list(values)}"
        data = {"custom_id": modal["custom_id"], "components": parts}
        return self._send(_MODAL, data, channel_id=interaction.channel_id)

    def menu(self, name: str, message: Message) -> Interaction:
        """Choose a message command."""
        backend = self.server.discord.backend
        command = backend.commands[None][name, 3]
        payload = dict(serializers.message_payload(backend, message))
        data = {
            "id": command["id"], "name": name, "type": 3, "target_id": str(message.id),
            "resolved": {"messages": {str(message.id): payload}},
        }  # fmt: skip
        return self._send(_COMMAND, data)

    def post(self, *files: tuple[str, bytes]) -> Message:
        """Write a message with files."""
        backend = self.server.discord.backend
        stored = backend.store_attachments(self.server.channel_id, files)
        return backend.create_message(self.server.channel_id, self.id, "look", attachments=stored)

    async def reads(self, interaction: Interaction, words: str) -> Message:
        """The message, seen by this person, that answers with `words`."""

        async def look() -> Message | None:
            ids = [interaction.message_id, *interaction.followup_ids]
            known = self.server.discord.backend.messages.get(interaction.channel_id, {})
            found = [known[id_] for id_ in ids if id_ is not None and id_ in known]
            return next((message for message in found if words in text(message)), None)

        return await eventually(look)

    def direct(self) -> list[Message]:
        """The direct messages with the bot, oldest first."""
        backend = self.server.discord.backend
        return [message for _, message in sorted(backend.messages.get(self._direct_id(), {}).items())]

    def _direct_id(self) -> int:
        return int(self.server.discord.backend.get_dm_channel(self.id).id)

    def _send(self, kind: int, data: dict[str, Any], channel_id: int | None = None, **extra: Any) -> Interaction:
        is_direct = channel_id == self._direct_id()
        record, payload = base_payload(
            self.server.discord.backend, type=kind, channel_id=channel_id or self.server.channel_id,
            guild_id=None if is_direct else self.server.guild_id, user_id=self.id, data=data,
        )  # fmt: skip
        if "message" in extra:
            record.source_message_id = int(extra["message"]["id"])
        self.server.discord.backend.emit("INTERACTION_CREATE", {**payload, **extra})
        return record


def _entry(field: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
    """How Discord reports a field: what was given, or what it came with."""
    about = {"type": field["type"], "custom_id": field["custom_id"]}
    text = given.pop(field["custom_id"], None)
    if field["type"] == _TEXT_INPUT:
        return {**about, "value": field.get("value", "") if text is None else text}
    usual = [option["value"] for option in field["options"] if option.get("default")]
    return {**about, "values": usual if text is None else [text]}


def new_server(discord: FakeDiscord, name: str) -> Server:
    """A server that invited Limner, with a channel."""
    guild = discord.backend.create_guild(name)
    channel = discord.backend.create_channel(guild.id, "art")
    return Server(discord=discord, guild_id=guild.id, channel_id=channel.id)


def new_person(server: Server, name: str) -> Person:
    """A member of `server`."""
    user = server.discord.backend.make_user(name)
    server.discord.backend.add_member(server.guild_id, user.id)
    return Person(server=server, id=user.id)


def flat(parts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """All components, however deep."""
    found: list[dict[str, Any]] = []
    for part in parts:
        found += [part, *flat(part.get("components", ()))]
    return found


def labels(message: Message) -> list[str]:
    """The labels of a message's buttons."""
    return [str(part["label"]) for part in flat(message.components) if part.get("type") == 2]


def text(message: Message) -> str:
    """All the words of a message."""
    return "\n".join([message.content, *(str(p["content"]) for p in flat(message.components) if "content" in p)])
