"""Whatever a changed client sends as a command, a click or a form is answered, and nothing of it is our fault."""

import logging
from dataclasses import dataclass
from typing import Any, Final

import pytest
from simcord.backend import serializers
from simcord.backend.models import Interaction, Message
from simcord.interactions import base_payload, store_interaction_attachment

from handlers.commands.option import Option, OptionKind
from handlers.registry import COMMANDS
from tests.bot.discord.conftest import World, finished
from tests.fakes import png, request
from tests.hostile import OUR_FAULT, TEXTS, VALUES, hostile_calls, required_values
from tests.wire.discord.people import text

pytestmark = pytest.mark.slow  # every option of every command, several times

_COMMAND, _COMPONENT, _SUGGEST, _MODAL = 2, 3, 4, 5
_KINDS: Final = {OptionKind.INTEGER: 4, OptionKind.NUMBER: 10, OptionKind.SWITCH: 5, OptionKind.FILE: 11}
_POINTED: Final = (OptionKind.CHANNEL, OptionKind.ROLE, OptionKind.MEMBER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forger:
    """An admin whose client sends what Discord's own would not."""

    world: World

    async def send(self, kind: int, data: dict[str, Any], message: dict[str, Any] | None = None) -> str:
        """All that the interaction was answered with."""
        world = self.world
        record, payload = base_payload(
            world.env.backend, type=kind, channel_id=world.channel.id, guild_id=world.guild.id,
            user_id=world.admin.id, data=data,
        )  # fmt: skip
        if message is not None:
            record.source_message_id = int(message["id"])
        with world.env.time_context():
            world.env.backend.emit(
                "INTERACTION_CREATE", payload if message is None else {**payload, "message": message}
            )
        await world.env.settle()
        return self._answer(record)

    async def slash(self, name: str, values: dict[str, Any]) -> str:
        """A command with values of any kind."""
        backend, command = self.world.env.backend, self.world.context.command(name)
        resolved: dict[str, Any] = {}
        options: list[dict[str, Any]] = []
        for key, value in values.items():
            option = command.option(key)
            kind = OptionKind.SWITCH if option is None else option.kind
            held = value
            if kind is OptionKind.FILE:
                held = store_interaction_attachment(
                    backend, self.world.channel.id, "start.png", png(request()), resolved
                )
            options.append({"name": key, "type": _KINDS.get(kind, 3), "value": held})
        if command.action:
            options = [{"name": command.action, "type": 1, "options": options}]
        data = {"name": command.head, "type": 1, "options": options, "resolved": resolved}
        return await self.send(_COMMAND, {"id": backend.commands[None][command.head, 1]["id"], **data})

    def _answer(self, record: Interaction) -> str:
        messages = self.world.env.backend.messages.get(self.world.channel.id, {})
        found: list[Message] = [messages[i] for i in (record.message_id, *record.followup_ids) if i in messages]
        return "\n".join(text(message) for message in found) or (
            "form" if record.modal else "acknowledged" * record.responded
        )


@pytest.fixture
def forger(world: World, simulated_files: None) -> Forger:
    return Forger(world=world)


def _shown(option: Option) -> bool:
    """Whether Discord's form of a command has the option, with a value that is only text or a number."""
    return not option.flag_only and not option.advanced and option.kind not in (*_POINTED, OptionKind.FILE)


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
async def test_every_option_of_every_command_takes_anything(
    forger: Forger, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Text as long as Discord's own, and numbers that no form of Discord's would let pass."""
    command = forger.world.context.command(name)
    for key, value in hostile_calls(command, each=1):
        option = command.option(key)
        assert option is not None
        if not _shown(option):
            continue
        given: Any = value
        if option.kind in (OptionKind.INTEGER, OptionKind.NUMBER):
            given = _number(value)
        answer = await forger.slash(
            name, {**_native(required_values(command, "file", every=True), command), key: given}
        )
        assert answer.strip(), (key, value)
        assert not any(words in answer for words in OUR_FAULT), (key, value[:200], answer)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def _number(text: str) -> float:
    try:
        return int(text[:300])
    except ValueError:
        return -(10**30)


def _native(values: dict[str, str], command: Any) -> dict[str, Any]:
    kinds = {option.name: option.kind for option in command.options}
    return {
        key: (True if kinds[key] is OptionKind.SWITCH else 1 if kinds[key] is OptionKind.INTEGER else value)
        for key, value in values.items()
    }


async def test_forged_buttons_and_forms_are_answered(forger: Forger, caplog: pytest.LogCaptureFixture) -> None:
    """Ids of no version, numbers of no job, verbs that the message does not have, entries that no form asks for."""
    message = await finished(forger.world)
    backend = forger.world.env.backend
    payload = dict(serializers.message_payload(backend, backend.messages[message.channel.id][message.id]))
    numbers = (0, 1, 2, 99999, 2**63 - 1, 2**63, 10**18 * 9, 10**19 - 1)
    verbs = (
        "cancel",
        "delete",
        "again",
        "edit",
        "info",
        "save",
        "call",
        "train",
        "pick",
        "upscale",
        "use-map",
        "softer",
    )
    places = [(number, 0) for number in numbers] + [(1, 999)]
    ids = [f"v1:{verb}:{number}:{index}" for verb in verbs for number, index in places]
    ids += [
        "",
        "x",
        "v1:",
        "v2:again:1:0",
        "v1:again:-1:0",
        "v1:again:٣:٣",
        "v1:again:1:1000",
        "v1:no-such:1:0",
        "v1:form:imagine:1:0",
    ]
    ids += [value[:100] for value in TEXTS if value.isprintable()]
    for custom_id in ids:
        answer = await forger.send(_COMPONENT, {"custom_id": custom_id, "component_type": 2}, message=payload)
        assert not any(words in answer for words in OUR_FAULT), (custom_id, answer)
    for custom_id in (
        "v1:form:imagine:1:0", "v1:form:imagine:9999999999999999999:0", "v1:form:settings:1:1", "v1:form:no such:1:0",
        "v1:form:imagine:٣:0", "x", "", "v1:form:lora add:1:0",
    ):  # fmt: skip
        for value in VALUES[::3]:
            entries = [
                {"type": 18, "component": {"type": 4, "custom_id": name, "value": value}}
                for name in ("prompt", "more", "kind", value[:90])
            ]
            answer = await forger.send(_MODAL, {"custom_id": custom_id, "components": entries})
            assert not any(words in answer for words in OUR_FAULT), (custom_id, value[:200], answer)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_forms_and_suggestions_take_anything_too(forger: Forger, caplog: pytest.LogCaptureFixture) -> None:
    """What stands in front of a form fills it only as far as Discord would take it."""
    backend = forger.world.env.backend
    for value in (*VALUES[::2], "fox --model " + "x" * 5000, "fox --width " + "9" * 300, "fox --lora \x07"):
        answer = await forger.slash("imagine", {"prompt": value, "advanced": True})
        assert not any(words in answer for words in OUR_FAULT), (value[:200], answer)
        for name, key in (("imagine", "lora"), ("cancel", "job")):
            focused = {"name": key, "type": 3, "value": value, "focused": True}
            data = {"id": backend.commands[None][name, 1]["id"], "name": name, "type": 1, "options": [focused]}
            await forger.send(_SUGGEST, data)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
