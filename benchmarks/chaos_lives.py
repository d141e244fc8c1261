"""The processes of `benchmarks.chaos`: begun, killed, begun again; and the children that outlive them."""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.chaos_process import Order

ANY_MOMENT: Final = "any moment"
ORPHAN_SECONDS: Final = 10.0
"""How long a child may outlive its parent."""

_MARK: Final = "CHAOS_LIFE"
_ROOT: Final = Path(__file__).parents[1]
_OCCASIONS: Final = (1, 1, 1, 2, 3, 5)
_ANY_MOMENT_SHARE: Final = 0.2
_START_SECONDS: Final = 90.0
_LOOK_SECONDS: Final = 0.05


@dataclass(slots=True)
class Plan:
    """What the next process dies at: of the points that were reached so far, by turns the rarest and any one."""

    dice: random.Random
    tried: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)

    def next_point(self) -> str:
        """A point, or none for a kill from outside."""
        if not self.tried or self.dice.random() < _ANY_MOMENT_SHARE:
            return ""
        least = min(self.tried.values()) if self.tried.total() % 2 else max(self.tried.values())
        point = self.dice.choice(sorted(name for name, count in self.tried.items() if count <= least))
        self.tried[point] += 1
        return point

    def learn(self, reached: list[str]) -> None:
        """Take in points that a process has reached."""
        for point in reached:
            self.tried.setdefault(point, 0)


class Starter:
    """`benchmarks.chaos_process`, which begins processes for us."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator["Starter"]:
        """Begin processes until the block ends, when all of them end."""
        environment = {**os.environ, "PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.chaos_process", stdin=PIPE, stdout=PIPE, env=environment, cwd=_ROOT
        )
        try:
            yield cls(process)
        finally:
            process.kill()
            await process.wait()

    async def begin(self, order: Order) -> int:
        """Begin a process; returns its number."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._turn:
            self._process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
            return int(await self._process.stdout.readline())


@dataclass(slots=True, kw_only=True)
class Life:
    """One process; `reached` and `at_point` are known once it has ended."""

    number: str
    pid: int
    port: int
    report: Path
    ended: asyncio.Event
    reached: list[str] = field(default_factory=list)
    at_point: bool = False

    async def listens(self) -> bool:
        """Whether it takes connections, waited for; False where it ended before."""
        async with asyncio.timeout(_START_SECONDS):
            while not self.ended.is_set():
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return True
                await asyncio.sleep(_LOOK_SECONDS)
        return False

    async def ends(self, seconds: float) -> bool:
        """Whether it ends by itself within that time."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), seconds)
        return self.ended.is_set()

    async def end(self, number: signal.Signals) -> None:
        """End it by a signal."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
        await self.ended.wait()


@dataclass(slots=True, kw_only=True)
class Lives:
    """All processes on one database: `slots` of them at a time, each at a port that stays the same.

    `fell` counts those that ended without being killed, `orphans` the children that outlived their parent too long.
    """

    starter: Starter
    environment: Mapping[str, str]
    folder: Path
    engine: bool
    slots: int
    plan: Plan
    ports: list[int] = field(default_factory=list)
    orphans: int = 0
    fell: int = 0
    _died: dict[str, float] = field(default_factory=dict)
    _count: int = 0
    _now: dict[int, Life] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ports = _free_ports(self.slots)

    @property
    def log(self) -> Path:
        """What all of them logged."""
        return self.folder / "log.txt"

    async def begin(self, slot: int, point: str = "") -> Life:
        """Begin the process of a slot."""
        self._count += 1
        number = f"{self.folder.name}-{self._count}"
        report = self.folder / f"report-{slot}.txt"
        environment = {**self.environment, "LIMNER_PORT": str(self.ports[slot]), _MARK: number}
        occasion = self.plan.dice.choice(_OCCASIONS)
        pid = await self.starter.begin(
            Order(
                environment=environment, log=str(self.log), report=str(report), point=point, occasion=occasion,
                engine=self.engine,
            )
        )  # fmt: skip
        life = Life(number=number, pid=pid, port=self.ports[slot], report=report, ended=_end_of(pid))
        self._now[slot] = life
        return life

    async def kill_one(self, slot: int, window: float) -> None:
        """One process from its begin to its SIGKILL, at a point or, where that does not come, at any moment."""
        point = self.plan.next_point()
        life = await self.begin(slot, point)
        moment = window if point else self.plan.dice.uniform(0.0, window)
        if by_us := await life.listens() and not await life.ends(moment):
            await life.end(signal.SIGKILL)
        self._bury(life)
        if life.at_point or by_us:
            self.plan.killed[point if life.at_point else ANY_MOMENT] += 1
        else:
            self.fell += 1

    async def stop(self, slot: int) -> None:
        """End the process of a slot softly."""
        life = self._now[slot]
        await life.end(signal.SIGTERM)
        self._bury(life)

    def look_for_orphans(self) -> None:
        """Count the processes whose parent died too long ago, and end them."""
        now = time.monotonic()
        for pid, number in _marked():
            if now - self._died.get(number, now) > ORPHAN_SECONDS:
                self.orphans += 1
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _bury(self, life: Life) -> None:
        self._died[life.number] = time.monotonic()
        lines = life.report.read_text().splitlines() if life.report.exists() else []
        life.at_point = "killed" in lines
        life.reached = [line for line in lines if line != "killed"]
        self.plan.learn(life.reached)


def _end_of(pid: int) -> asyncio.Event:
    """An event that is set once the process has ended; it need not be a child of this one."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        ended.set()
        return ended

    def done() -> None:
        loop.remove_reader(handle)
        os.close(handle)
        ended.set()

    loop.add_reader(handle, done)
    return ended


def _marked() -> list[tuple[int, str]]:
    """The processes that were begun by one of ours, and by which."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended, or is another user's
            continue
        marks = [word for word in words if word.startswith(_MARK.encode() + b"=")]
        found += [(int(folder.name), mark.partition(b"=")[2].decode()) for mark in marks]
    return found


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, each another one."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in listeners]
