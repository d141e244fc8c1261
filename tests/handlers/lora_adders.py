"""A worker that adds LoRAs, with stand-ins for the source of links, the importer and the fuser."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from handlers.commands.attachments import AttachedFile
from handlers.commands.context import AppContext
from handlers.context.lora_quota import LoraQuota
from handlers.context.served_model import ServedModel
from handlers.delivery.delivery import Delivery
from handlers.jobs.preparation import Progress
from handlers.loras.import_job import Import, LoraAdding
from handlers.messages.message import Message
from handlers.registry import JOBS
from handlers.worker.worker import Worker
from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.exporting.merge_process import Merged, MergeInput
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.importing.import_process import Order
from pipeline.lora.importing.report import ImportReport
from pipeline.lora.sources.fetched import FetchedFile
from pipeline.lora.sources.keys import SourceKeys
from storage.guilds.guilds import Guild
from storage.library.loras import Lora, NewLora, new_key
from storage.queue.jobs import Job, JobKind
from tests.app_contexts import FACTS
from tests.eventually import eventually
from tests.fakes import FakeChat, FakeClock, FakeDevice

REPORT = ImportReport(
    layout="kohya", algorithms=("LoRA",), family=ModelFamily.SDXL, layers=1, ranks=(4, 4), embeddings=(),
    trigger_words=("crayon drawing",), licence="CC0", sha256="5a17", data_sha256="da7a", size=1024, notes=(),
    scale_rule=ScaleRule.LINEAR,
)  # fmt: skip
CANONICAL = b"a canonical file"


def new_lora(guild: Guild, name: str, *, size: int = 1, owner: str = "ada", private: bool = False) -> NewLora:
    return NewLora(
        guild_id=guild.id, name=name, owner_id=owner, base_family=ModelFamily.SDXL, key=new_key(guild.id), size=size,
        private=private,
    )  # fmt: skip


@dataclass(slots=True)
class FakeSource:
    """A source that hands over a file, or waits for ever where it is `stuck`."""

    stuck: bool = False
    base_model: str | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    keys: SourceKeys | None = None

    async def fetch(self, link: str, folder: Path, keys: SourceKeys, progress: Progress) -> FetchedFile:
        self.keys = keys
        path = folder / "file.safetensors"
        path.write_bytes(b"a part" if self.stuck else b"the whole file")
        progress(40, 100)
        self.begun.set()
        if self.stuck:
            await asyncio.Event().wait()
        return FetchedFile(
            path=path, size=1, sha256="", file_name="f.safetensors", title="Chalk & Co", page=link,
            base_model=self.base_model,
        )  # fmt: skip


@dataclass(slots=True)
class FakeImporters:
    """Importers that answer with `report`, or with what is in `refusals` for the model that an order names."""

    report: ImportReport = REPORT
    refusals: dict[Path, str] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    read: list[bytes] = field(default_factory=list)

    @asynccontextmanager
    async def ready(self) -> AsyncIterator[Import]:
        yield self._imported

    async def _imported(self, order: Order, /) -> ImportReport:
        self.orders.append(order)
        self.read.append(order.source.read_bytes())
        order.target.write_bytes(CANONICAL)
        if refusal := self.refusals.get(order.configs):
            raise UserError(refusal)
        return self.report


@dataclass(slots=True)
class FakeFuser:
    """Notes the members, and writes one file."""

    members: list[MergeInput] = field(default_factory=list)

    async def __call__(self, members: Sequence[MergeInput], target: Path, /) -> Merged:
        self.members += members
        target.write_bytes(CANONICAL)
        return Merged(layers=3, size=len(CANONICAL))


def base(folder: Path, name: str = "pocket") -> ServedModel:
    return ServedModel(facts=FACTS, model=folder / name, configs=folder / name)


@asynccontextmanager
async def working(
    context: AppContext, folder: Path, source: FakeSource | None = None, importers: FakeImporters | None = None,
    fuser: FakeFuser | None = None, bases: Sequence[ServedModel] = (), quota: int = 2**30,
) -> AsyncIterator[FakeDevice]:  # fmt: skip
    """The worker runs until the block ends; canonical files are in `folder`."""
    stop, device = asyncio.Event(), FakeDevice()
    adding = LoraAdding(
        room=LoraQuota(loras=context.loras, quota=quota), keys=context.source_keys, blobs=context.blobs,
        fetch=(source or FakeSource()).fetch, folder=folder, bases=bases or [base(folder)],
        importer=(importers or FakeImporters()).ready, merge=fuser or FakeFuser(),
    )  # fmt: skip
    worker = Worker(
        name="worker", queue=context.queue, blobs=context.blobs, costs=context.costs, jobs=JOBS, devices=(device,),
        kinds={JobKind.ADD_LORA: adding}, drain_seconds=0.0,
    )  # fmt: skip
    task = asyncio.create_task(worker.run(stop))
    try:
        yield device
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def ended(context: AppContext, guild: Guild) -> Job:
    async def look() -> Job | None:
        (job, *_) = await context.queue.guild_jobs(guild.id)
        return job if job.finished_at is not None else None

    return await eventually(look)


async def find(context: AppContext, guild: Guild, name: str) -> Lora:
    lora = await context.loras.get(guild.id, "ada", name)
    assert lora is not None
    return lora


async def delivered(context: AppContext, clock: FakeClock) -> Message:
    chat = FakeChat()
    await Delivery(context=context, chat=chat, poster="p", clock=clock).deliver_due()
    return chat.delivered[-1][1]


async def upload(context: AppContext) -> AttachedFile:
    data = b"a member's file"
    return AttachedFile(blob=await context.blobs.put(data), name="Crayon V2.safetensors", size=len(data))
