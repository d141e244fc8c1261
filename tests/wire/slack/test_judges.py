"""The judges bite: each thing that Slack refuses is refused by the fake, whatever the app under test would do."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.wire.slack.block_judge import message_complaints, view_complaints
from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.payloads import payload
from tests.wire.slack.people import Someone
from tests.wire.slack.specification import METHODS as MAY_CALL
from tests.wire.slack.specification import method, sdk_arguments
from tests.wire.slack.web_api import METHODS, Answer, Call, Refused
from tests.wire.slack.workspace import Workspace, new_workspace


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """A Slack whose judges may find something: that is what is tested here."""
    async with FakeSlack().running() as fake:
        yield fake


@pytest.fixture
def workspace(slack: FakeSlack) -> Workspace:
    return slack.add(new_workspace())


@pytest.fixture
def client(slack: FakeSlack, workspace: Workspace) -> AsyncWebClient:
    return AsyncWebClient(token=workspace.token, base_url=slack.api_base)


def section(text: str = "x", **more: Any) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "plain_text", "text": text}, **more}


def button(action_id: str = "a", text: str = "x", **more: Any) -> dict[str, Any]:
    return {"type": "button", "action_id": action_id, "text": {"type": "plain_text", "text": text}, **more}


def actions(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


@pytest.mark.parametrize(
    "blocks",
    [
        [section("x" * 3001)],
        [section("")],
        [section()] * 51,
        [section(block_id="b"), section(block_id="b")],
        [actions(button("a"), button("a"))],
        [actions(button(text="x" * 76))],
        [actions(button(value="x" * 2001))],
        [actions(button("x" * 256))],
        [actions(*(button(str(number)) for number in range(26)))],
        [{"type": "image", "slack_file": {"id": "F1"}, "alt_text": "x" * 2001}],
        [{"type": "no-block"}],
        [section(mood="good")],
        [actions(button(styl="danger"))],
        [
            {
                "type": "input",
                "label": {"type": "plain_text", "text": "x"},
                "element": {"type": "plain_text_input", "action_id": "a"},
            }
        ],
    ],
)
def test_a_message_that_slack_refuses_is_found(blocks: list[dict[str, Any]]) -> None:
    """By slack_sdk's validators or by Slack's documented limits."""
    image = {"type": "image", "slack_file": {"id": "F1"}, "alt_text": "x"}

    assert message_complaints("text", [section(block_id="b"), actions(button(value="x")), image]) == []
    assert message_complaints("text", blocks) != []


def test_a_message_without_text_is_found() -> None:
    """A screen reader would read nothing."""
    assert message_complaints("", [section()]) != []


@pytest.mark.parametrize(
    "changes",
    [
        {"title": {"type": "plain_text", "text": "x" * 25}},
        {"private_metadata": "x" * 3001},
        {"blocks": [section()] * 101},
        {"blocks": []},
        {"callback_id": "x" * 256},
        {"mood": "good"},
        {"blocks": [section(mood="good")]},
        {
            "blocks": [
                {
                    "type": "input",
                    "label": {"type": "plain_text", "text": "x"},
                    "element": {"type": "plain_text_input", "action_id": "a"},
                }
            ]
        },
    ],
)
def test_a_view_that_slack_refuses_is_found(changes: dict[str, Any]) -> None:
    """Titles, sizes, and inputs without a button to send them."""
    view = {"type": "modal", "title": {"type": "plain_text", "text": "x"}, "blocks": [section()]}

    assert view_complaints(view) == []
    assert view_complaints(view | changes) != []


async def test_arguments_are_held_to_the_method_reference(slack: FakeSlack, client: AsyncWebClient) -> None:
    """An argument that a method does not have, one that it must have, none of several, a method that is not listed."""
    await client.api_call("users.info", params={"user": "UADA", "mood": "good"})
    with pytest.raises(SlackApiError):
        await client.api_call("files.info", params={})
    with pytest.raises(SlackApiError):
        await client.api_call("conversations.open", params={"return_im": "true"})
    with pytest.raises(SlackApiError):
        await client.api_call("files.upload", params={})

    assert slack.violations == [
        "users.info has no argument mood",
        "files.info needs the argument file",
        "conversations.open needs one of channel, users",
        "files.upload is no method that this app may call",
    ]


async def test_a_missing_scope_is_refused(workspace: Workspace, client: AsyncWebClient) -> None:
    """With the name of the scope that is needed."""
    workspace.scopes -= {"users:read"}

    with pytest.raises(SlackApiError) as refused:
        await client.users_info(user="UADA")
    assert refused.value.response["error"] == "missing_scope"
    assert refused.value.response["needed"] == "users:read"


async def test_a_tier_that_is_used_up_says_when_to_come_again(slack: FakeSlack, client: AsyncWebClient) -> None:
    """Fifty calls a minute in tier 3, counted for each workspace and method."""
    for _ in range(50):
        await client.conversations_open(users="UADA")
    with pytest.raises(SlackApiError) as refused:
        await client.conversations_open(users="UADA")

    assert refused.value.response.status_code == 429
    assert 0 < int(refused.value.response.headers["Retry-After"]) <= 61
    await client.users_info(user="UADA")
    slack.shift += 61
    await client.conversations_open(users="UADA")


async def test_one_message_a_second_for_each_channel(slack: FakeSlack, client: AsyncWebClient) -> None:
    """A short burst, then no more."""
    for _ in range(3):
        await client.chat_postMessage(channel="CGEN", text="x")
    with pytest.raises(SlackApiError, match="ratelimited"):
        await client.chat_postMessage(channel="CGEN", text="x")
    assert slack.rate_limits.refused == 1


def test_a_trigger_lives_three_seconds_and_works_once(slack: FakeSlack) -> None:
    """Slack's own words for each way in which it fails."""
    fresh, late = slack.triggers.issue(), slack.triggers.issue()
    slack.triggers.redeem(fresh)
    with pytest.raises(Refused, match="exchanged_trigger_id"):
        slack.triggers.redeem(fresh)
    slack.shift += 4
    with pytest.raises(Refused, match="expired_trigger_id"):
        slack.triggers.redeem(late)
    with pytest.raises(Refused, match="invalid_trigger_id"):
        slack.triggers.redeem("made up")


def test_a_response_url_works_five_times_in_thirty_minutes(slack: FakeSlack) -> None:
    """After that it is gone."""
    used, old = (slack.response_urls.issue("T001", "CGEN", "UADA") for _ in range(2))

    assert [slack.response_urls.redeem(used) is not None for _ in range(6)] == [True] * 5 + [False]
    slack.shift += 1801
    assert slack.response_urls.redeem(old) is None


async def test_an_upload_is_three_steps_and_a_wait(slack: FakeSlack, client: AsyncWebClient) -> None:
    """A file that is not uploaded cannot be completed, one that is not ready cannot be shown."""
    ticket = await client.files_getUploadURLExternal(filename="fox.png", length=3)
    image = [{"type": "image", "slack_file": {"id": ticket["file_id"]}, "alt_text": "a fox"}]
    with pytest.raises(SlackApiError, match="file_not_found"):
        await client.files_completeUploadExternal(files=[{"id": ticket["file_id"]}])
    async with aiohttp.ClientSession() as session, session.post(ticket["upload_url"], data=b"fo") as answer:
        assert answer.status == 400
    async with aiohttp.ClientSession() as session, session.post(ticket["upload_url"], data=b"fox") as answer:
        assert answer.status == 200
    await client.files_completeUploadExternal(files=[{"id": ticket["file_id"]}])
    with pytest.raises(SlackApiError, match="invalid_blocks"):
        await client.chat_postMessage(channel="CGEN", text="fox", blocks=image)

    assert (await client.files_info(file=ticket["file_id"]))["file"]["mimetype"] == "image/png"
    await client.chat_postMessage(channel="CGEN", text="fox", blocks=image)


async def test_an_edit_with_text_alone_is_found(slack: FakeSlack, client: AsyncWebClient) -> None:
    """Slack would take the blocks away."""
    posted = await client.chat_postMessage(channel="CGEN", text="x", blocks=[section()])

    with pytest.raises(SlackApiError):
        await client.chat_update(channel="CGEN", ts=posted["ts"], text="y")
    assert "text and blocks must be sent together" in slack.violations[0]


async def test_an_envelope_that_nobody_acknowledges_is_found(
    slack: FakeSlack, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three seconds, shortened here."""
    monkeypatch.setattr("tests.wire.slack.socket_mode.ACK_SECONDS", 0.05)
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{slack.origin}/link"):
        with pytest.raises(TimeoutError):
            await Someone(slack=slack, workspace=workspace, door=slack.sockets).command("/imagine", "fox")

    assert slack.violations == ["slash_commands /imagine was not acknowledged in time"]


async def test_an_answer_that_slack_would_not_give_is_found(
    slack: FakeSlack, workspace: Workspace, client: AsyncWebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test may rest on a key or an error that the method's page does not name."""

    async def talkative(_: Call) -> Answer:
        return {"user": {"id": "UADA"}, "mood": "good"}

    monkeypatch.setitem(METHODS, "users.info", talkative)
    await client.users_info(user="UADA")
    workspace.troubles["chat.update"] = ["is_archived"]
    with pytest.raises(SlackApiError, match="is_archived"):
        await client.chat_update(channel="CGEN", ts="1.1", text="x", blocks=[section()])

    assert slack.violations == ["users.info never answers mood", "chat.update never refuses with is_archived"]


def test_every_method_of_the_fake_is_in_the_reference() -> None:
    """Nothing is served that Slack does not have."""
    assert METHODS.keys() == MAY_CALL - {"oauth.v2.access", "apps.connections.open"}


@pytest.mark.parametrize("name", sorted(MAY_CALL))
def test_the_table_says_what_the_sdk_says(name: str) -> None:
    """What slack_sdk cannot call a method without is required; the client's secrets travel apart."""
    specification = method(name)

    assert specification is not None
    assert specification.required <= specification.known
    assert sdk_arguments(name, required=True) - {"client_id", "client_secret"} == specification.required
    assert specification.errors


def test_an_inbound_payload_has_no_key_of_our_own() -> None:
    """Its shape is the documented one."""
    with pytest.raises(AssertionError, match="favourite"):
        payload("block_actions", favourite="fox")


async def test_old_tokens_are_refused_after_a_rotation(slack: FakeSlack, workspace: Workspace) -> None:
    """A refresh token works once, and takes the old token with it."""
    slack.rotates = True
    client = AsyncWebClient(base_url=slack.api_base)
    secrets = {"client_id": "111.222", "client_secret": "client-secret"}
    first = await client.oauth_v2_access(**secrets, code=slack.code_for(workspace))
    again = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    await client.oauth_v2_access(**secrets, **again)

    with pytest.raises(SlackApiError, match="invalid_refresh_token"):
        await client.oauth_v2_access(**secrets, **again)
    with pytest.raises(SlackApiError, match="token_revoked"):
        await AsyncWebClient(token=first["access_token"], base_url=slack.api_base).auth_test()
