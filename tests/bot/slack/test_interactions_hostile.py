"""Whatever a member sends from Slack is answered in a sentence, and nothing of it is our fault."""

import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from bot.slack.answers import Answers
from bot.slack.attachments import SLACK_FILES, Attachments
from bot.slack.chat_platform import SlackPlatform
from bot.slack.guilds import SlackGuilds
from bot.slack.interactions import SlackInteractionHandler
from handlers.commands.context import AppContext
from handlers.commands.groups import heads
from handlers.registry import COMMANDS
from tests.bot.slack.conftest import FakeClient, FakeWorkspaces
from tests.hostile import LONG, OUR_FAULT, TEXTS, VALUES, hostile_calls, required_values

pytestmark = pytest.mark.slow  # every option of every command, several times

_WHO: dict[str, Any] = {
    "team": {"id": "T1", "domain": "pixels"},
    "user": {"id": "U1", "username": "ada"},
    "trigger_id": "t",
}


@pytest.fixture
def handler(
    context: AppContext, guilds: SlackGuilds, answers: Answers, workspaces: FakeWorkspaces, chat: SlackPlatform,
    client: FakeClient,
) -> SlackInteractionHandler:  # fmt: skip
    client.answers["users.info"] = {"user": {"is_admin": True}}
    client.answers["files.info"] = {"file": {"is_external": True}}
    client.answers["conversations.open"] = {"channel": {"id": "D1"}}
    client.answers["chat.postMessage"] = {"ts": "1.0", "channel": "C1"}
    assert client.session is not None
    return SlackInteractionHandler(
        context=context, guilds=guilds, answers=answers, workspaces=workspaces, chat=chat,
        attachments=Attachments(session=client.session, origin=SLACK_FILES),
    )  # fmt: skip


class Said:
    """What was said since it was last asked: the acknowledgement and every call of Slack's Web API."""

    def __init__(self, client: FakeClient) -> None:
        self._client = client
        self._acks: list[Mapping[str, Any]] = []

    async def ack(self, **answer: Any) -> None:
        self._acks.append(answer)

    def take(self) -> str:
        """All of it, as Slack would get it."""
        text = json.dumps([self._acks, self._client.calls], default=str, ensure_ascii=False)
        text.encode()
        self._client.calls.clear()
        self._acks.clear()
        return text


@pytest.fixture
def said(client: FakeClient) -> Said:
    return Said(client)


def slash(text: str) -> dict[str, Any]:
    return {"team_id": "T1", "user_id": "U1", "user_name": "ada", "channel_id": "C1", "trigger_id": "t", "text": text}


def submitted(command: str, values: Mapping[str, str], call_id: object = None, metadata: str | None = None) -> Any:
    """A form that comes back filled."""
    state: dict[str, Any] = {
        name: {"a": {"type": "plain_text_input", "value": value}} for name, value in values.items()
    }
    state["image"] = {"a": {"type": "file_input", "files": [{"id": "F1", "name": "a\0\ud800.png", "size": 3}]}}
    place = json.dumps([command, call_id, "C1", None]) if metadata is None else metadata
    blocks = [{"type": "input", "block_id": name} for name in state]
    return {**_WHO, "view": {"private_metadata": place, "state": {"values": state}, "blocks": blocks}}


def check(said: Said, caplog: pytest.LogCaptureFixture, what: object) -> None:
    answer = said.take()
    assert not any(words in answer for words in OUR_FAULT), (str(what)[:300], answer[:600])
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == [], str(what)[:300]


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
async def test_every_option_of_every_command_takes_anything(
    handler: SlackInteractionHandler, said: Said, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """As text behind the command, and as entries of its form."""
    command = handler.context.command(name)
    [head] = [head for head in heads(handler.context.commands) if head.name == command.head]
    for option, value in hostile_calls(command, each=1):
        given = {**required_values(command, "start.png"), option: value}
        flags = " ".join(f"--{key} {entry}" for key, entry in given.items())
        await handler.command(said.ack, slash(f"{command.action or ''} {flags}"), head)
        check(said, caplog, (option, value))
        await handler.submission(said.ack, submitted(name, given))
        check(said, caplog, (option, value))


async def test_any_text_at_all_is_answered(
    handler: SlackInteractionHandler, said: Said, caplog: pytest.LogCaptureFixture
) -> None:
    """Below the umbrella, in a mention, in a button that opens a form, and in a select that is typed into."""
    for value in (*VALUES[::2], *LONG):
        await handler.umbrella(said.ack, slash(value))
        await handler.umbrella(said.ack, slash(f"imagine {value}"))
        event = {"user": "U1", "channel": "C1", "text": f"<@U0> {value}"}
        await handler.mention(said.ack, {"event": event, "team_id": "T1"})
        await handler.mention(said.ack, {"event": {**event, "text": value}, "team_id": "T1"})
        for opened in ("imagine", "edit", "settings", value):
            action = {"action_id": f"open-form:{opened}", "value": value}
            await handler.open_form(said.ack, {**_WHO, "channel": {"id": "C1"}, "actions": [action]})
        for asked in ("option:imagine:lora", "option:cancel:job", f"option:{value}", "option:imagine:no", value):
            await handler.suggest(said.ack, {**_WHO, "action_id": asked, "value": value})
        check(said, caplog, value)


async def test_forged_buttons_and_forms_are_answered(
    handler: SlackInteractionHandler, said: Said, caplog: pytest.LogCaptureFixture
) -> None:
    """Ids of no version, numbers of no job, forms that complete nothing."""
    numbers = (0, 1, 99999, 2**63 - 1, 2**63, 10**19 - 1)
    verbs = ("cancel", "delete", "again", "edit", "info", "save", "call", "train", "pick", "upscale", "softer")
    ids = [f"v1:{verb}:{number}:{index}" for verb in verbs for number in numbers for index in (0, 999)]
    for custom_id in (*ids, "v2:again:1:0", "v1:again:٣:٣", "x", *TEXTS):
        action = {"action_id": custom_id}
        container = {"channel_id": "C1", "message_ts": "1.0"}
        body = {**_WHO, "channel": {"id": "C1"}, "container": container, "actions": [action]}
        await handler.button(said.ack, body)
        check(said, caplog, custom_id)
    for metadata in ("", "x", "[]", "{}", "[1,2,3,4]", '["imagine", "x", "C1", null]', "[" * 5000, "null", *TEXTS[:9]):
        await handler.submission(said.ack, submitted("", {"prompt": "fox"}, metadata=metadata))
        check(said, caplog, metadata)
    for call_id in (0, 2**63, 10**30, -(10**30)):
        await handler.submission(said.ack, submitted("imagine", {"kind": "x\0", "no such": "y"}, call_id))
        check(said, caplog, call_id)
