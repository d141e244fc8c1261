"""Every kind of payload gives the same facts: the tenant, the member, the place of the reply."""

from typing import Any

import pytest

from bot.slack.interaction import SlackInteraction, tenant_of_event
from bot.slack.tenant import Tenant
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress

COMMAND = {
    "team_id": "T1", "team_domain": "pixels", "enterprise_id": "E1", "user_id": "U1", "user_name": "ada",
    "channel_id": "C1", "trigger_id": "t", "response_url": "https://hooks.slack.com/1",
}  # fmt: skip


@pytest.mark.parametrize(("is_org", "org_id"), [("false", None), ("true", "E1")])
def test_a_command_of_an_organisation_belongs_to_it_only_if_it_installed_us(is_org: str, org_id: str | None) -> None:
    """A workspace of an organisation may have installed us by itself."""
    interaction = SlackInteraction.of_command({**COMMAND, "is_enterprise_install": is_org})

    assert interaction.tenant == Tenant(team_id="T1", org_id=org_id)
    assert (interaction.team_name, interaction.user_name, interaction.thread_id) == ("pixels", "ada", None)


def test_a_click_in_a_thread_is_answered_there() -> None:
    """The message's container names the thread."""
    body: dict[str, Any] = {
        "user": {"id": "U1", "username": "ada"},
        "team": {"id": "T1", "domain": "pixels"},
        "channel": {"id": "C1"},
        "container": {"thread_ts": "1.1"},
    }

    assert SlackInteraction.of_interactivity(body).reply == ReplyAddress(
        platform=Platform.SLACK, channel_id="C1", user_id="U1", thread_id="1.1", tenant="T1"
    )


def test_without_a_channel_the_reply_goes_to_the_member_alone() -> None:
    """As from the Home tab."""
    reply = SlackInteraction.of_event({"team_id": "T1", "event": {"user": "U1"}}).reply

    assert (reply.channel_id, reply.private) == ("U1", True)


def test_an_event_in_a_shared_channel_belongs_to_the_installation_that_gets_it() -> None:
    """Not to the workspace where it happened."""
    authorization = {"team_id": "T2", "enterprise_id": "E2", "is_enterprise_install": True}

    assert tenant_of_event({"team_id": "T1", "authorizations": [authorization]}) == Tenant(team_id="T2", org_id="E2")
    assert tenant_of_event({"team_id": "T1"}) == Tenant(team_id="T1")
