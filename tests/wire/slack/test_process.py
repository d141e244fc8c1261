"""The real `limner serve` against the fake Slack: its own process, its own model, both transports."""

from pathlib import Path

import pytest

from tests.journeys.terminal import run
from tests.wire.slack.doors import SignedRequests
from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.installing import install
from tests.wire.slack.looks import finished, private_answer
from tests.wire.slack.people import Someone
from tests.wire.slack.process import oauth_environment, serving, socket_environment
from tests.wire.slack.workspace import Workspace, new_workspace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # whole processes, each of which loads a model

_RENDER_SECONDS = 240.0


async def test_one_workspace_over_socket_mode(slack: FakeSlack, workspace: Workspace, tmp_path: Path) -> None:
    """A command, an image; then a power cut in the middle of a second one, which comes after the restart."""
    ada = Someone(slack=slack, workspace=workspace, door=slack.sockets)
    async with serving(tmp_path, **socket_environment(slack)) as served:
        await ada.command("/imagine", "red fox --steps 2 --seed 7")
        message = await ada.sees(finished, _RENDER_SECONDS)
        assert "seed 7" in message.words
        await ada.command("/imagine", "blue apple --steps 50 --n 4")
        await ada.sees(lambda w: "of 200 steps" in w.in_channel("CGEN")[-1].words, _RENDER_SECONDS)
        await served.cut_power()
    slack.sockets.connected.clear()
    async with serving(tmp_path, **socket_environment(slack)) as served:
        both = await ada.sees(
            lambda w: (found := [m for m in w.in_channel("CGEN") if m.images])[1:] and found, _RENDER_SECONDS
        )
        assert len(both) == 2
        # Who waited for longer than a minute is mentioned in a message of its own.
        assert all("<@UADA>" in message.text for message in workspace.in_channel("CGEN") if not message.images)
        assert "blue apple" in both[1].words
        assert not [line for line in served.log if workspace.token in line]


@pytest.mark.soak  # a few kills of every kind are in tests/benchmarks/test_chaos.py
@pytest.mark.parametrize("method", ["chat.postMessage", "files.completeUploadExternal", "chat.update"])
async def test_killed_before_an_answer_it_shows_the_image_once(
    slack: FakeSlack, workspace: Workspace, tmp_path: Path, method: str
) -> None:
    """Slack did what was asked and the process died before it heard of it: one message holds the image."""
    ada = Someone(slack=slack, workspace=workspace, door=slack.sockets)
    async with serving(tmp_path, **socket_environment(slack)) as served:
        slack.unanswered.add(method)
        await ada.command("/imagine", "red fox --steps 2 --seed 7")
        await ada.sees(lambda _: slack.called(method), _RENDER_SECONDS)
        await served.cut_power()
    slack.unanswered.clear()
    slack.sockets.connected.clear()
    async with serving(tmp_path, **socket_environment(slack)):
        await ada.sees(finished, _RENDER_SECONDS)
        for orphan in [message for message in workspace.in_channel("CGEN") if not message.images]:
            assert method == "chat.postMessage"
            await ada.click(orphan, "Cancel")
            await ada.sees(private_answer())

    [message] = [message for message in workspace.in_channel("CGEN") if message.images]
    assert len(message.images) == 1


async def test_many_workspaces_over_signed_requests(slack: FakeSlack, tmp_path: Path) -> None:
    """Installed by OAuth, each gets its own image; no token is ever logged."""
    workspaces = [slack.add(new_workspace(number)) for number in (1, 2)]
    async with serving(tmp_path, **oauth_environment(slack)) as served:
        people = []
        for workspace in workspaces:
            assert await install(slack, served.url, workspace) == 200
            door = SignedRequests(url=f"{served.url}/slack/events")
            people.append(Someone(slack=slack, workspace=workspace, door=door))
        for person in people:
            await person.command("/imagine", f"fox in {person.workspace.name} --steps 2")
        for person in people:
            assert person.workspace.name in (await person.sees(finished, _RENDER_SECONDS)).text
        assert not [line for line in served.log if any(workspace.token in line for workspace in workspaces)]


async def test_the_doctor_names_each_missing_scope(slack: FakeSlack, workspace: Workspace, tmp_path: Path) -> None:
    """And what to do about it."""
    workspace.scopes -= {"files:write", "users:read"}

    _, out, _ = await run("doctor", data=tmp_path, **socket_environment(slack))

    assert 'workspace "workspace-1": missing files:write, users:read' in out
    assert "OAuth & Permissions" in out
    assert "Socket Mode connects" in out


async def test_the_doctor_names_a_token_that_is_refused(slack: FakeSlack, workspace: Workspace, tmp_path: Path) -> None:
    """The token itself is not printed."""
    environment = socket_environment(slack) | {"SLACK_BOT_TOKEN": "xoxb-wrong", "SLACK_APP_TOKEN": "xapp-wrong"}

    code, out, err = await run("doctor", data=tmp_path, **environment)

    assert code == 1
    assert "SLACK_BOT_TOKEN: the token was refused (invalid_auth)" in out
    assert "SLACK_APP_TOKEN was refused (invalid_auth)" in out
    assert "xoxb-wrong" not in out + err
    assert workspace.messages == []
