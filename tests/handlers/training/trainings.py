"""Trainings on a real queue, each reported by a stand-in rather than done."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from handlers.buttons import Press
from handlers.commands.arguments import Value
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.context.lora_quota import LoraQuota
from handlers.context.training_hours import TrainingHours
from handlers.delivery.delivery import Delivery
from handlers.jobs.preparation import Preparation
from handlers.messages.message import Message, Verb
from handlers.registry import JOBS
from handlers.training.job import ImageCheck, Train, TrainableModel, Training
from handlers.worker.worker import Worker
from pipeline.models.source import EMBEDDED, ModelSource
from pipeline.training.messages import TrainingPace
from pipeline.training.report import Scores, TrainingCandidate, TrainingProgress, TrainingReport
from pipeline.training.request import TrainingRequest
from storage.database import Database
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.jobs import Job, JobKind
from storage.queue.reply_address import ReplyAddress
from tests.app_contexts import FACTS
from tests.eventually import eventually
from tests.fakes import FakeChat, FakeClock, FakeDevice

POCKET = ModelSource.parse(EMBEDDED)


SCORES = Scores(subject=1.1, prompt=0.75, kept=0.9)


def png(seed: int) -> bytes:
    patches = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(patches).resize((200, 160), Image.Resampling.NEAREST).save(file, "PNG")
    return file.getvalue()


Files = Callable[..., Awaitable[dict[str, Value]]]


@dataclass(slots=True)
class FakeTrain:
    """Ends at once with two candidates, or as `ends` says."""

    ends: Exception | None = None
    waits: bool = False
    orders: list[TrainingRequest] = field(default_factory=list)
    paces: list[TrainingPace] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(
        self, order: TrainingRequest, progress: Callable[[TrainingProgress], None], pace: Callable[[], TrainingPace]
    ) -> TrainingReport:
        self.orders.append(order)
        self.paces.append(pace())
        progress(TrainingProgress(step=30, steps=100, sheet=png(99)))
        self.begun.set()
        if self.waits:

            async def asked_to_stop() -> bool:
                return pace().enough

            await eventually(asked_to_stop)
        if self.ends is not None:
            ends, self.ends = self.ends, None
            raise ends
        order.folder.mkdir(parents=True)
        for name in ("50.safetensors", "100.safetensors"):
            (order.folder / name).write_text(name)
        (order.folder / "sheet.png").write_bytes(png(7))
        return TrainingReport(
            candidates=tuple(
                TrainingCandidate(file=f"{step}.safetensors", step=step, scores=SCORES) for step in (50, 100)
            ),
            chosen=1, steps=100, settled=True, seconds=65.0, sheet="sheet.png",
        )  # fmt: skip


@asynccontextmanager
async def working(
    context: AppContext, database: Database, folder: Path, train: Train, hours: TrainingHours | None = None
) -> AsyncIterator[Worker]:
    stop, models = asyncio.Event(), [TrainableModel(facts=FACTS, source=POCKET)]
    kinds: dict[JobKind, Preparation] = {
        JobKind.CHECK_IMAGES: ImageCheck(blobs=context.blobs, models=models),
        JobKind.TRAIN: Training(
            room=LoraQuota(loras=context.loras, quota=2**30), blobs=context.blobs, handed=context.handed,
            loras=folder / "loras", work=folder / "trainings", models=models, train=train, busy=lambda: True,
            hours=hours or TrainingHours(),
        ),
    }  # fmt: skip
    worker = Worker(
        name="worker", queue=context.queue, blobs=context.blobs, costs=context.costs, jobs=JOBS,
        devices=(FakeDevice(),), kinds=kinds, drain_seconds=0.0,
    )  # fmt: skip
    task = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def ended(context: AppContext, guild: Guild, kind: JobKind) -> Job:
    async def look() -> Job | None:
        jobs = [job for job in await context.queue.guild_jobs(guild.id) if job.kind == kind]
        return jobs[0] if jobs and jobs[0].finished_at is not None else None

    return await eventually(look)


async def delivered(context: AppContext, clock: FakeClock) -> Message:
    """What the newest job came to; several that are due are posted in any order."""
    chat = FakeChat()
    await Delivery(context=context, chat=chat, poster="p", clock=clock).deliver_due()
    return max((message for _, message in chat.delivered), key=lambda message: message.job_id or 0)


def caller(guild: Guild, member: str = "ada") -> Caller:
    address = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id=member)
    return Caller(guild=guild, member=Member(id=member, name=member.title(), is_admin=False), reply=address)


def labels(sheet: Message) -> list[str]:
    return [button.label for row in sheet.buttons[1:] for button in row]


def start(job: Job) -> Press:
    return Press(verb=Verb.TRAIN, target=job.id, index=0)
