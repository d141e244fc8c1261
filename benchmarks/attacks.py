"""What each attack does to `limner serve` and to a neighbour: `python -m benchmarks.attacks` prints a table.

    python -m benchmarks.attacks [--only images --only pages] [--seconds 15]

A real process serves the tests' fakes of Discord and Slack on loopback. While a member of one server attacks, a member
of another asks for the queue twice a second, and for an image every few seconds. The table tells the serving process's
own peak of memory, the longest that its event loop left a request waiting (`benchmarks.attack_probe`, which also waits
where the machine has no core free), and how the 95th percentile of the neighbour's answers and images compares with
what it was before the attacks. Must: memory under 400 MB, the loop under 0.5 s, answers within 1.5 times.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp

from benchmarks.attack_kinds import ATTACKS, Ground, answer_of, answered, prepare
from tests.eventually import eventually
from tests.journeys.terminal import children
from tests.wire.discord.fake_discord import FakeDiscord
from tests.wire.discord.people import Person, new_person, new_server
from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.process import Served, oauth_environment, serving

MOST_MEMORY_MB: Final = 400.0
MOST_LAG_SECONDS: Final = 0.5
MOST_TIMES: Final = 1.5

_BETWEEN_ANSWERS: Final = 0.5
_BETWEEN_IMAGES: Final = 4.0
_ATTACK_SECONDS: Final = 25.0
_SETTLE_SECONDS: Final = 12.0
_ALIVE: Final = aiohttp.ClientTimeout(total=5)

HEADER: Final = (
    "| attack | memory, MB | silence, s | answers, p95 | times | images, p95 | times | unanswered | holds |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What was seen during an attack: the neighbour's seconds for answers and images; `silent` answers never came."""

    name: str
    memory_mb: float
    lag: float
    answers: tuple[float, ...]
    images: tuple[float, ...]
    silent: int

    def holds(self, before: "Impact") -> bool:
        """Whether all is as it must be, compared with what was seen without an attack."""
        bounded = self.memory_mb < MOST_MEMORY_MB and self.lag < MOST_LAG_SECONDS
        return bounded and not self.silent and p95(self.answers) <= MOST_TIMES * p95(before.answers)

    def row(self, before: "Impact") -> str:
        """The line of the table."""
        answers, images = p95(self.answers), p95(self.images)
        return (
            f"| {self.name} | {self.memory_mb:.0f} | {self.lag:.2f} | {answers * 1000:.0f} ms "
            f"| {answers / p95(before.answers):.2f} | {images:.2f} s | {images / p95(before.images):.2f} "
            f"| {self.silent} | {'yes' if self.holds(before) else 'no'} |"
        )


def p95(values: Sequence[float]) -> float:
    """The 95th percentile; infinite where there is nothing."""
    if len(values) < 2:
        return values[0] if values else float("inf")
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


@dataclass(slots=True, kw_only=True)
class Probe:
    """What `benchmarks.attack_probe` saw, as (when, lag, memory in MB)."""

    seen: list[tuple[float, float, float]] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def of(cls, served: Served) -> AsyncIterator["Probe"]:
        """Watch until the block ends."""
        probe = cls()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.attack_probe", served.url, str(served.process.pid),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        reading = asyncio.create_task(probe._read(process))
        try:
            yield probe
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            await reading

    def since(self, begin: float) -> tuple[float, float]:
        """The longest lag and the most memory since then."""
        later = [sample for sample in self.seen if sample[0] >= begin]
        return max((lag for _, lag, _ in later), default=float("inf")), max((mb for *_, mb in later), default=0.0)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None, "started with a pipe"
        while line := await process.stdout.readline():
            when, lag, memory = map(float, line.split())
            self.seen.append((when, lag, memory))


@dataclass(slots=True, kw_only=True)
class Neighbour:
    """A member of another server, who goes on as always; an image is asked for once the last one is there."""

    person: Person
    draws: bool = True
    answers: list[float] = field(default_factory=list)
    images: list[float] = field(default_factory=list)
    _open: set[asyncio.Task[None]] = field(default_factory=set)
    _drawing: asyncio.Task[None] | None = None

    async def goes_on(self) -> None:
        """Ask again and again until cancelled."""
        drawn = float("-inf")
        while True:
            begin = time.monotonic()
            task = asyncio.create_task(self._ask())
            self._open.add(task)
            task.add_done_callback(self._open.discard)
            if self.draws and begin - drawn > _BETWEEN_IMAGES and (self._drawing is None or self._drawing.done()):
                drawn, self._drawing = begin, asyncio.create_task(self._draw(begin))
            await asyncio.sleep(_BETWEEN_ANSWERS)

    async def ends(self) -> int:
        """Wait a little for what was asked last; returns how many answers never came."""
        waiting = [*self._open, *([self._drawing] if self._drawing else [])]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=_SETTLE_SECONDS)
            for task in late:
                task.cancel()
            return len(late)
        return 0

    async def _ask(self) -> None:
        begin = time.monotonic()
        await answered(self.person, self.person.slash("queue"))
        self.answers.append(time.monotonic() - begin)

    async def _draw(self, begin: float) -> None:
        seen = sum(bool(message.attachments) for message in self.person.server.messages())
        self.person.slash("imagine", prompt="owl", steps=2)
        await self.person.server.images(seen + 1)
        self.images.append(time.monotonic() - begin)


@dataclass(slots=True, kw_only=True)
class Arena:
    """A `limner serve` for as long as it lives, and another when an attack has ended one."""

    discord: FakeDiscord
    slack: FakeSlack
    bob: Person
    folder: Path
    draws: bool = True
    _life: AsyncExitStack = field(default_factory=AsyncExitStack)
    _starts: int = 0
    served: Served = field(init=False)
    probe: Probe = field(init=False)

    @classmethod
    @asynccontextmanager
    async def open(cls, *, draws: bool) -> AsyncIterator["Arena"]:
        """Begin to serve; end it with the block."""
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            discord = await stack.enter_async_context(FakeDiscord(judges=False).running())
            slack = await stack.enter_async_context(FakeSlack().running())
            bob = new_person(new_server(discord, "Quiet Neighbours"), "bob")
            arena = cls(discord=discord, slack=slack, bob=bob, folder=folder, draws=draws)
            await arena.start()
            try:
                yield arena
            finally:
                await arena.stop()

    async def start(self) -> None:
        """Serve with an empty database, and wait until members are heard."""
        self._starts += 1
        environment = {**self.discord.environment, **oauth_environment(self.slack)}
        self.served = await self._life.enter_async_context(serving(self.folder / str(self._starts), **environment))
        await (self.served.ready() if self.draws else eventually(self._has_commands))
        self.probe = await self._life.enter_async_context(Probe.of(self.served))

    async def _has_commands(self) -> bool:
        return bool(self.discord.backend.commands.get(None))

    async def stop(self) -> None:
        """End it, softly where it can be."""
        if not await self._is_alive():
            for child in children(self.served.process):
                child.kill()
            with contextlib.suppress(ProcessLookupError):
                self.served.process.kill()
        await self._life.aclose()

    async def watch(self, name: str, seconds: float, scale: float = 1.0) -> Impact:
        """What an attack does, or for another name what is without one; the process lives on, or another one."""
        neighbour, begin = Neighbour(person=self.bob, draws=self.draws), time.monotonic()
        going = asyncio.create_task(neighbour.goes_on())
        if attack := ATTACKS.get(name):
            eve = new_person(new_server(self.discord, f"Attack by {name}"), "eve")
            ground = Ground(served=self.served, discord=self.discord, eve=eve, scale=scale)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(attack(ground), _ATTACK_SECONDS)
        await asyncio.sleep(max(0.0, seconds - (time.monotonic() - begin)))
        going.cancel()
        silent = await neighbour.ends()
        lag, memory = self.probe.since(begin)
        if not await self._is_alive():
            # A request that is still waiting has not told how long it will.
            lag = max(lag, time.monotonic() - begin)
            await self.stop()
            await self.start()
        elif attack:
            await self._settle(eve)
        return Impact(
            name=name, memory_mb=memory, lag=lag, answers=tuple(neighbour.answers), images=tuple(neighbour.images),
            silent=silent,
        )  # fmt: skip

    async def _settle(self, eve: Person) -> None:
        """Take back what the attack has left to do."""
        cancelled = eve.slash("cancel")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_SECONDS):
                while not answer_of(eve, cancelled) or await self._open_jobs():  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.2)

    async def _open_jobs(self) -> bool:
        text = await self._get("/metrics")
        return any(
            f'limner_jobs{{state="{state}"}}' in line and not line.endswith(" 0")
            for state in ("queued", "running")
            for line in text.splitlines()
        )

    async def _is_alive(self) -> bool:
        if self.served.process.returncode is not None:
            return False
        try:
            await self._get("/healthz")
        except (aiohttp.ClientError, TimeoutError):
            return False
        return True

    async def _get(self, path: str) -> str:
        async with aiohttp.ClientSession(timeout=_ALIVE) as session, session.get(self.served.url + path) as answer:
            return await answer.text()


async def main(names: Sequence[str], seconds: float) -> bool:
    """Run the attacks in turn and print the table; whether all holds."""
    prepare()
    began, held = time.monotonic(), True
    async with Arena.open(draws=True) as arena:
        await arena.watch("nothing yet", 5.0)
        before = await arena.watch("none", max(seconds, 15.0))
        print(f"{HEADER}\n{before.row(before)}", flush=True)
        for name in names:
            impact = await arena.watch(name, seconds)
            held = held and impact.holds(before)
            print(impact.row(before), flush=True)
    print(f"\n{time.monotonic() - began:.0f} s in all")
    return held


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(ATTACKS), help="may be given several times")
    parser.add_argument("--seconds", type=float, default=15.0, help="to watch each attack at least")
    given = parser.parse_args()
    asyncio.run(main(given.only or list(ATTACKS), given.seconds))
