"""The shortcuts of a message: a form with its image, or a sentence where it has none."""

from typing import Any

import pytest

from bot.slack.answers import Answers
from bot.slack.attachments import Attachments
from bot.slack.chat_platform import SlackPlatform
from bot.slack.context_menu import ImageMenu
from bot.slack.guilds import SlackGuilds
from bot.slack.interaction import SlackInteraction
from bot.slack.interactions import SlackInteractionHandler
from bot.slack.modal import SlackModalState
from handlers.commands.context import AppContext
from tests.bot.slack.conftest import FakeClient, FakeWorkspaces, acknowledge

UPLOADED = {"files": [{"id": "F1"}]}
OURS = {"blocks": [{"type": "section"}, {"type": "image", "slack_file": {"id": "F2"}}]}


@pytest.fixture
def menu(
    context: AppContext, client: FakeClient, workspaces: FakeWorkspaces, guilds: SlackGuilds, chat: SlackPlatform,
    answers: Answers,
) -> ImageMenu:  # fmt: skip
    assert client.session is not None
    attachments = Attachments(session=client.session)
    interactions = SlackInteractionHandler(
        context=context, guilds=guilds, answers=answers, workspaces=workspaces, chat=chat, attachments=attachments
    )
    return ImageMenu(workspaces=workspaces, answers=answers, interactions=interactions, attachments=attachments)


def shortcut(message: dict[str, Any]) -> dict[str, Any]:
    """Ada's shortcut on a message in channel C1."""
    return {
        "user": {"id": "U1", "name": "ada"}, "team": {"id": "T1", "domain": "pixels"}, "channel": {"id": "C1"},
        "trigger_id": "t", "message": message,
    }  # fmt: skip


@pytest.mark.parametrize(("message", "file_id"), [(UPLOADED, "F1"), (OURS, "F2")])
async def test_a_form_opens_with_the_image_of_the_message(
    client: FakeClient, menu: ImageMenu, message: dict[str, Any], file_id: str
) -> None:
    """One that a member uploaded, or one of ours; it is fetched when the form comes back."""
    client.answers["users.info"] = {"user": {"id": "U1"}}

    await menu.begun(acknowledge, shortcut(message))

    [opened] = client.made("views.open")
    state = SlackModalState.parse(opened["view"]["private_metadata"])
    guild = await menu.interactions.guilds.guild(SlackInteraction.of_interactivity(shortcut(message)))
    saved = await menu.interactions.context.calls.get(guild.id, state.call_id or 0)
    assert saved is not None
    assert saved.file is not None
    assert (state.command, saved.file.place) == ("edit", file_id)
    assert client.made("files.info") == []


async def test_a_message_without_an_image_is_a_sentence(client: FakeClient, menu: ImageMenu) -> None:
    """In the place of the form."""
    await menu.begun(acknowledge, shortcut({"blocks": [{"type": "section"}]}))

    [opened] = client.made("views.open")
    assert "There is no picture in that message" in str(opened["view"])
