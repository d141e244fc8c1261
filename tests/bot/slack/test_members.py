"""Who a member is in a workspace: asked of Slack, remembered for a while."""

import pytest

from bot.slack.members import Members
from handlers.commands.call import Member
from tests.bot.slack.conftest import FakeClient, FakeWorkspaces, interaction
from tests.fakes import FakeClock


@pytest.fixture
def members(workspaces: FakeWorkspaces, clock: FakeClock) -> Members:
    return Members(workspaces=workspaces, clock=clock)


@pytest.mark.parametrize(
    ("user", "is_admin"), [({"is_admin": True}, True), ({"is_owner": True}, True), ({"is_bot": False}, False)]
)
async def test_slack_says_who_is_an_admin(
    members: Members, client: FakeClient, user: dict[str, bool], *, is_admin: bool
) -> None:
    """Owners are admins too."""
    client.answers["users.info"] = {"user": {"name": "ada.l", **user}}

    assert await members.member(interaction()) == Member(id="U1", name="ada.l", is_admin=is_admin)


async def test_a_member_is_asked_for_once_in_a_while(members: Members, client: FakeClient, clock: FakeClock) -> None:
    """In each workspace for itself, since ids and rights are a workspace's own."""
    client.answers["users.info"] = {"user": {"name": "ada"}}
    for team_id in ("T1", "T1", "T2"):
        await members.member(interaction(team_id))
    assert len(client.made("users.info")) == 2

    clock.advance(3600)
    await members.member(interaction("T1"))

    assert len(client.made("users.info")) == 3


async def test_of_whom_slack_says_nothing_is_no_admin(members: Members, client: FakeClient) -> None:
    """Without users:read a member is still served, under the name in the payload."""
    client.refusals["users.info"] = ["missing_scope"]

    assert await members.member(interaction()) == Member(id="U1", name="ada")


async def test_user_groups_serve_as_roles(members: Members, client: FakeClient) -> None:
    """Only groups that are asked about; one that Slack does not tell of has nobody in it."""
    client.answers["users.info"] = {"user": {"name": "ada"}}
    client.answers["usergroups.users.list"] = {"users": ["U1", "U2"]}
    client.refusals["usergroups.users.list"] = ["no_such_subteam"]

    member = await members.member(interaction(), {"S2", "S1"})

    assert member.roles == ("S2",)
    assert [call["usergroup"] for call in client.made("usergroups.users.list")] == ["S1", "S2"]


@pytest.mark.parametrize(("org_id", "named"), [(None, None), ("E1", "T1")])
async def test_an_organisations_token_says_which_workspace(
    members: Members, client: FakeClient, org_id: str | None, named: str | None
) -> None:
    """It speaks for many."""
    client.answers["users.info"] = {"user": {}}
    client.answers["usergroups.users.list"] = {"users": []}

    await members.member(interaction(org_id=org_id), {"S1"})

    [call] = client.made("usergroups.users.list")
    assert call.get("team_id") == named
