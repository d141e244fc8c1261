"""Links to messages, built from one that Slack gave."""

import pytest

from bot.slack.message_ids import MessageId
from bot.slack.permalinks import Permalinks, permalink
from bot.slack.tenant import Tenant
from handlers.commands.context import AppContext
from tests.bot.slack.conftest import FakeClient

TENANT = Tenant(team_id="T1", org_id="E1")
PLACE = MessageId(channel="C1", ts="1700000000.000200")
ORIGIN = "https://pixels.slack.com"


@pytest.mark.parametrize("query", ["", "?thread_ts=1.1&cid=C1"])
async def test_a_workspace_is_asked_once_for_all_processes(context: AppContext, client: FakeClient, query: str) -> None:
    """By any of its messages; the next process reads the answer in the database."""
    client.answers["chat.getPermalink"] = {"permalink": f"{ORIGIN}/archives/C1/p1700000000000200{query}"}

    for process in (Permalinks(notes=context.notes), Permalinks(notes=context.notes)):
        assert [await process.origin(client, TENANT, PLACE) for _ in range(2)] == [ORIGIN] * 2

    assert len(client.made("chat.getPermalink")) == 1


async def test_a_message_that_is_gone_is_no_answer(context: AppContext, client: FakeClient) -> None:
    """Slack is asked again by the next one."""
    client.refusals["chat.getPermalink"] = ["message_not_found"]

    assert await Permalinks(notes=context.notes).origin(client, TENANT, PLACE) is None


def test_a_link_is_as_slack_writes_it() -> None:
    """In a thread it names that, too."""
    assert permalink(ORIGIN, PLACE, None) == f"{ORIGIN}/archives/C1/p1700000000000200"
    assert permalink(ORIGIN, PLACE, "1.1") == f"{ORIGIN}/archives/C1/p1700000000000200?thread_ts=1.1&cid=C1"
