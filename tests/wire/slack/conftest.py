"""A fake Slack and Limner connected to it; whatever Slack's judges found wrong fails the test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.people import Someone
from tests.wire.slack.stage import Stage, on_stage, socket_settings
from tests.wire.slack.workspace import Workspace, new_workspace


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """A running Slack without workspaces."""
    async with FakeSlack().running() as fake:
        yield fake
    assert fake.violations == []
    assert fake.rate_limits.refused == 0


@pytest.fixture
def workspace(slack: FakeSlack) -> Workspace:
    return slack.add(new_workspace())


@pytest.fixture
async def stage(slack: FakeSlack, workspace: Workspace, tmp_path: Path, empty_sqlite: Path) -> AsyncIterator[Stage]:
    """Limner over Socket Mode in the one workspace."""
    assert workspace.team_id in slack.workspaces
    async with on_stage(slack, socket_settings(slack, tmp_path), empty_sqlite) as running:
        yield running


@pytest.fixture
def ada(stage: Stage) -> Someone:
    return stage.member("UADA")


@pytest.fixture
def bob(stage: Stage) -> Someone:
    return stage.member("UBOB")


@pytest.fixture
def eve(stage: Stage) -> Someone:
    """The workspace's admin."""
    return stage.member("UEVE")
