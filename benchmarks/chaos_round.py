"""One round of `benchmarks.chaos`: kills while members ask for things, then rest, then what each member sees."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

from sqlalchemy import func, select, union

from benchmarks.chaos_lives import ORPHAN_SECONDS, Lives, Plan, Starter
from benchmarks.chaos_members import KEY, Ask, End, Entrance, Member, Memory, discord_member, slack_member
from benchmarks.chaos_postgres import new_database
from storage.blobs import FileBlobStore
from storage.database import Database
from storage.library.blob_gc import collect_blobs
from storage.library.lora_files import sweep_lora_files
from storage.platform import Platform
from storage.queue.jobs import OPEN_STATES
from storage.queue.outbox import Outbox
from storage.tables import jobs, loras, metadata, replies, snapshots
from tests.journeys.terminal import environment
from tests.pipeline.lora.sources.site import Site
from tests.wire.discord.fake_discord import FakeDiscord
from tests.wire.discord.people import Server, new_server, text
from tests.wire.slack.fake_slack import SIGNING_SECRET, FakeSlack
from tests.wire.slack.rate_limits import RateLimits
from tests.wire.slack.workspace import Channel, Workspace, new_workspace

_WINDOW_SECONDS: Final = 2.0
_WINDOW_BY_PROCESS: Final = 0.5
_WINDOW_OF_AN_ENGINE: Final = 12.0
_CROWD: Final = 7
_CROWD_OF_AN_ENGINE: Final = 1
_SERVERS: Final = 4
_START_SECONDS: Final = 120.0
_MOST_FALLEN: Final = 10
_WITH_BLOBS: Final = tuple(table for table in metadata.sorted_tables if "blob" in table.c)


class NoRateLimits(RateLimits):
    """A Slack that lets anyone call as often as they like: waiting for it is not what is measured."""

    def seconds_to_wait(self, method: str, team_id: str, channel: str | None) -> float:  # noqa: ARG002
        """Nothing."""
        return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """On which database so many processes serve, and which share of all kills happens there."""

    database: str
    processes: int
    share: float
    engine: bool = False

    @property
    def name(self) -> str:
        """As the table says it."""
        return f"{self.database}, {self.processes}{', real devices' if self.engine else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was counted.

    Of what was acknowledged, `results` ended in images; what never ended counts as `lost` where there was a job of it,
    else as `silent`. `left_behind` are messages about a job that is shown elsewhere, `fell` processes that nobody
    killed.
    """

    asked: int = 0
    acknowledged: int = 0
    results: int = 0
    lost: int = 0
    twice: int = 0
    silent: int = 0
    left_behind: int = 0
    fell: int = 0
    orphans: int = 0
    leaked: int = 0

    def __add__(self, other: "Found") -> "Found":
        sums = {each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)}
        return Found(**sums)

    @property
    def holds(self) -> bool:
        """Whether all is as it must be."""
        return not (self.lost or self.twice or self.silent or self.fell or self.orphans or self.leaked)


@dataclass(slots=True, kw_only=True)
class Round:
    """So many kills at a place, on an empty database; `troubles` say what was wrong, one line each."""

    place: Place
    kills: int
    plan: Plan
    folder: Path
    starter: Starter
    server: str
    patience: float
    troubles: list[str] = field(default_factory=list)
    memory: Memory = field(init=False)
    discord: FakeDiscord = field(init=False)
    slack: FakeSlack = field(init=False)
    workspace: Workspace = field(init=False)
    servers: list[Server] = field(init=False)
    lives: Lives = field(init=False)
    _url: str = ""
    _enough: int = 0
    _calm: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> Found:
        """Kill, let all come to rest, and count."""
        self.memory = Memory(dice=self.plan.dice)
        self._enough = self.plan.killed.total() + self.kills
        async with self._fakes():
            await self._begin_all()
            members = _CROWD_OF_AN_ENGINE if self.place.engine else _CROWD
            crowd = [asyncio.create_task(self._ask_on(platform)) for platform in (0, 1) for _ in range(members)]
            looking = asyncio.create_task(self._look_for_orphans())
            await asyncio.gather(*(self._kill_on(slot) for slot in range(self.place.processes)))
            killed_at = time.monotonic()
            self._calm.set()
            await self._begin_all()
            await asyncio.gather(*crowd)
            await self._rest()
            await asyncio.sleep(max(0.0, killed_at + ORPHAN_SECONDS + 1 - time.monotonic()))
            looking.cancel()
            self.lives.look_for_orphans()
            await asyncio.gather(*(self.lives.stop(slot) for slot in range(self.place.processes)))
            return await self._judge()

    @asynccontextmanager
    async def _fakes(self) -> AsyncIterator[None]:
        """Both platforms, and the site of LoRAs, until the block ends."""
        site = Site()
        await site.start()
        self.discord, self.slack = FakeDiscord(judges=False), FakeSlack()
        self.slack.rate_limits = NoRateLimits(clock=self.slack.now)
        try:
            async with self.discord.running(), self.slack.running():
                self.workspace = self.slack.add(new_workspace())
                for number in range(_CROWD):
                    name = f"CART{number}"
                    self.workspace.channels[name] = Channel(id=name, name=name.casefold())
                self.servers = [new_server(self.discord, f"server {number}") for number in range(_SERVERS)]
                await self._settle_in(site)
                yield
        finally:
            await site.server.close()

    async def _settle_in(self, site: Site) -> None:
        """Find a database, and write the settings of every process."""
        self._url = f"sqlite:///{self.folder / 'limner.db'}"
        if self.place.database == "PostgreSQL":
            self._url = await new_database(self.server, self.folder.name)
        settings = environment(
            self.folder, LIMNER_DATABASE=self._url, PYTHONPATH=str(Path(__file__).parents[1]),
            **self.discord.environment, SLACK_API_BASE=self.slack.api_base, SLACK_BOT_TOKEN=self.workspace.token,
            SLACK_SIGNING_SECRET=SIGNING_SECRET, CIVITAI_BASE=site.base, LIMNER_LORA_STORE_HOSTS="localhost",
            LIMNER_LORA_LOOPBACK="on",
        )  # fmt: skip
        self.lives = Lives(
            starter=self.starter, environment=settings, folder=self.folder, engine=self.place.engine,
            slots=self.place.processes, plan=self.plan,
        )  # fmt: skip

    async def _begin_all(self) -> None:
        """Begin every process, none of which is to die at a point, and wait until Discord knows the commands."""
        started = await asyncio.gather(*(self.lives.begin(slot) for slot in range(self.place.processes)))
        for life in started:
            if not await life.listens():
                raise RuntimeError(f"a process that nobody killed ended, see {self.lives.log}")
        async with asyncio.timeout(_START_SECONDS):
            while not (self.discord.backend.commands.get(None) and self.discord.gateway.is_heard):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def _ask_on(self, platform: int) -> None:
        """Be one member after another until the kills are over."""
        entrance = Entrance(ports=self.lives.ports, dice=self.memory.dice)
        while not self._calm.is_set():
            member: Member
            if platform:
                member = slack_member(self.memory, self.slack, self.workspace, entrance)
            else:
                member = discord_member(self.memory, self.servers)
            await member.wishes()
            await asyncio.sleep(self.memory.dice.uniform(0.0, 0.3))

    async def _kill_on(self, slot: int) -> None:
        """End the process of a slot, and those after it, until there were enough kills."""
        await self.lives.stop(slot)
        # Those that share two cores take longer to come to their points.
        usual = _WINDOW_SECONDS + _WINDOW_BY_PROCESS * self.place.processes
        window = _WINDOW_OF_AN_ENGINE if self.place.engine else usual
        while self.plan.killed.total() < self._enough:
            await self.lives.kill_one(slot, window)
            if self.lives.fell > _MOST_FALLEN:
                raise RuntimeError(f"processes end that nobody killed, see {self.lives.log}")

    async def _look_for_orphans(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            await asyncio.to_thread(self.lives.look_for_orphans)

    async def _rest(self) -> None:
        """Wait until nothing is open, for as long as our patience lasts."""
        database = await Database.open(self._url)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.patience):
                while self.memory.open_asks() or await _open_work(database):  # noqa: ASYNC110 - other processes
                    await asyncio.sleep(0.25)
        await database.close()

    async def _judge(self) -> Found:
        asks = self.memory.asks
        database = await Database.open(self._url)
        lost, silent = self._count_open(await _jobs(database))
        found = Found(
            asked=len(asks),
            acknowledged=sum(ask.acknowledged() for ask in asks),
            results=sum(ask.acknowledged() and ask.end() is End.RESULT for ask in asks),
            lost=max(lost, await _open_work(database)),
            twice=self._count_twice(),
            silent=silent,
            left_behind=self._left_behind(),
            fell=self.lives.fell,
            orphans=self.lives.orphans,
            leaked=await self._leaked(database),
        )
        await database.close()
        return found

    def _asks_by_key(self) -> dict[str, list[Ask]]:
        found: dict[str, list[Ask]] = {}
        for ask in self.memory.asks:
            if ask.key:
                found.setdefault(ask.key, []).append(ask)
        return found

    def _count_open(self, known: list[tuple[str, str]]) -> tuple[int, int]:
        """How many asks of which there is a job have not ended, and how many of which there is none."""
        lost, silent, keys = 0, 0, self._asks_by_key()
        for ask in self.memory.open_asks():
            same = [other for other in keys.get(ask.key, []) if other.acknowledged()]
            states = [state for payload, state in known if ask.key and ask.key in payload]
            has_job = bool(same) and len(states) >= len(same)
            lost, silent = lost + has_job, silent + (not has_job)
            self.troubles.append(f"{'lost' if has_job else 'no answer'}: {ask.what} {ask.key} {', '.join(states)}")
        return lost, silent

    def _count_twice(self) -> int:
        """How many results are there beyond one for each that was asked for, acknowledged or not."""
        count, shown = 0, Counter(key for key, has_images in self._messages() if has_images)
        for key, asks in self._asks_by_key().items():
            if shown[key] > len(asks):
                count += shown[key] - len(asks)
                self.troubles.append(f"twice: {' and '.join(ask.what for ask in asks)} {key}")
        return count

    def _left_behind(self) -> int:
        """How many messages are about something that has another message, or that nobody is waiting for."""
        keys, about = self._asks_by_key(), Counter(key for key, _ in self._messages())
        count = 0
        for key, asks in keys.items():
            if about[key] > len(asks):
                count += about[key] - len(asks)
                self.troubles.append(f"left behind: {' and '.join(ask.what for ask in asks)} {key}")
        return count

    def _messages(self) -> Iterator[tuple[str, bool]]:
        """The key of each message that everybody sees in a channel, and whether it shows a result."""
        public = [(text(m), bool(m.attachments)) for server in self.servers for m in server.messages()]
        for name in self.workspace.channels:
            if name.startswith("C"):
                public += [(m.words, bool(m.images)) for m in self.workspace.in_channel(name)]
        for words, has_images in public:
            if key := KEY.search(words.strip().partition("\n")[0]):
                yield key[0], has_images

    async def _leaked(self, database: Database) -> int:
        """How much is there after all is swept that no row mentions: blobs, files of LoRAs; and snapshots of no use."""
        blobs, folder = FileBlobStore(self.folder / "blobs"), self.folder / "loras"
        await asyncio.sleep(1.1)  # files bear whole ticks of the clock, and nothing is swept that is as old as now
        await collect_blobs(database, blobs, grace_seconds=0.0)
        await sweep_lora_files(database, folder, 0.0)
        async with database.read() as connection:
            known = set((await connection.scalars(union(*(select(table.c.blob) for table in _WITH_BLOBS)))).all())
            needed = set((await connection.scalars(select(loras.c.key))).all())
            unfinished = (await connection.execute(select(func.count()).select_from(snapshots))).scalar_one()
        stray = [path for path in (self.folder / "blobs").rglob("*") if path.is_file() and path.name not in known]
        stray += [path for path in folder.rglob("*") if path.is_file() and path.stem not in needed]
        self.troubles += [f"leaked: {path.relative_to(self.folder)}" for path in stray]
        return len(stray) + int(unfinished)


async def _open_work(database: Database) -> int:
    """How many jobs are not final, and how many replies are still owed."""
    async with database.read() as connection:
        open_jobs = select(func.count()).select_from(jobs).where(jobs.c.state.in_(OPEN_STATES))
        count = int((await connection.execute(open_jobs)).scalar_one())
    outbox = Outbox(database)
    return max(count, *[await outbox.unsettled(platform) for platform in (Platform.DISCORD, Platform.SLACK)])


async def _jobs(database: Database) -> list[tuple[str, str]]:
    """What each job is about, and its state and that of its reply."""
    query = select(jobs.c.payload, jobs.c.state, replies.c.state.label("reply")).join_from(jobs, replies)
    async with database.read() as connection:
        return [(row.payload, f"{row.state} and {row.reply}") for row in await connection.execute(query)]
