"""Slack under load: 20 workspaces, 200 commands in 10 seconds: `python -m benchmarks.chat_slack [commands] [seconds]`.

Limner's real chat side, worker and delivery, installed in 20 workspaces of the tests' fake Slack, tiers included.
Pictures are drawn by a device of paper, since it is the chat that is measured; both run in this one process.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from storage.database import migrate
from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.installing import install
from tests.wire.slack.people import Someone
from tests.wire.slack.stage import oauth_settings, on_stage
from tests.wire.slack.workspace import Workspace, new_workspace

_WORKSPACES = 20
_PATIENCE_SECONDS = 900.0


async def main(commands: int, seconds: float) -> None:
    """Install everywhere, send the commands evenly, wait for every picture."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.db"
        data = Path(folder) / "data"
        data.mkdir()
        await migrate(f"sqlite:///{empty}")
        async with FakeSlack().running() as slack, on_stage(slack, oauth_settings(slack, data), empty) as stage:
            people = []
            for number in range(_WORKSPACES):
                workspace = slack.add(new_workspace(number + 1))
                await install(slack, stage.url, workspace)
                people.append(stage.someone(workspace))
            start = time.monotonic()
            pace = seconds / commands
            acked = await asyncio.gather(
                *(_command(people[n % _WORKSPACES], n, start + n * pace) for n in range(commands))
            )
            await _all_finished(slack, commands)
            _report(slack, sorted(acked), time.monotonic() - start, commands)


async def _command(person: Someone, number: int, at: float) -> float:
    """Type one command at its time; how many seconds its acknowledgement took."""
    await asyncio.sleep(max(0.0, at - time.monotonic()))
    return (await person.command("/imagine", f"fox {number}")).seconds


async def _all_finished(slack: FakeSlack, commands: int) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS), slack.changed:
        await slack.changed.wait_for(lambda: sum(map(_finished, slack.workspaces.values())) >= commands)


def _finished(workspace: Workspace) -> int:
    return sum(bool(message.pictures) for message in workspace.in_channel("CGEN"))


def _report(slack: FakeSlack, acked: list[float], took: float, commands: int) -> None:
    messages = sum(len(workspace.in_channel("CGEN")) for workspace in slack.workspaces.values())
    calls: dict[str, int] = {}
    for _, method, _ in slack.calls:
        calls[method] = calls.get(method, 0) + 1
    print(f"{commands} commands in {_WORKSPACES} workspaces")
    print(
        f"acknowledged: median {statistics.median(acked):.3f} s, 99th percentile {acked[int(len(acked) * 0.99)]:.3f} s"
    )
    print(f"slowest acknowledgement: {acked[-1]:.3f} s; the last picture came after {took:.0f} s")
    print(f"lost: {commands - sum(map(_finished, slack.workspaces.values()))}; messages posted: {messages}")
    print(f"tiers exceeded: {slack.rate_limits.refused}; judged wrong: {len(slack.violations)}")
    print("calls: " + ", ".join(f"{method} {count}" for method, count in sorted(calls.items())))


if __name__ == "__main__":
    arguments = [float(text) for text in sys.argv[1:]]
    asyncio.run(main(int(arguments[0]) if arguments else 200, arguments[1] if len(arguments) > 1 else 10.0))
