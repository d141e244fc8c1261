"""The composition root: puts the stores, the devices, the worker and the deliveries together."""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot.assembly.devices import device_names
from bot.assembly.settings import Settings
from handlers.commands.context import AppContext
from handlers.context.allowed_guilds import AllowedGuilds
from handlers.context.lora_exporter import LoraExporter
from handlers.context.lora_quota import LoraQuota
from handlers.context.served_model import ServedModel
from handlers.context.training_hours import TrainingHours
from handlers.delivery.delivery import Delivery
from handlers.images.upscale_job import Enlarging
from handlers.jobs.preparation import Preparation, Progress
from handlers.loras.import_job import LoraAdding
from handlers.messages.chat_platform import ChatPlatform
from handlers.registry import COMMANDS, JOBS
from handlers.training.job import ImageCheck, TrainableModel, Training
from handlers.worker import maintenance
from handlers.worker.device import Device
from handlers.worker.worker import Worker
from pipeline.devices.process_device import ChildDevice
from pipeline.files import make_private
from pipeline.images.upscale_process import enlarge_apart
from pipeline.images.upscalers import Upscalers
from pipeline.lora.exporting.merge_process import merge_apart
from pipeline.lora.importing.import_process import importing
from pipeline.lora.importing.importers import Importers
from pipeline.lora.sources.fetched import FetchedFile
from pipeline.lora.sources.keys import SourceKeys
from pipeline.models.base_configs import base_configs
from pipeline.models.file_hash import FileHashes
from pipeline.models.source import ModelSource
from pipeline.models.vaes import Vaes
from pipeline.requests.device_spec import DeviceSpec
from pipeline.supervisor import Supervisor
from pipeline.training.process import train_apart
from storage.blobs import FileBlobStore
from storage.database import Database, migrate
from storage.encryption import Encryption
from storage.errors import disk_error
from storage.queue.jobs import JobKind

_log = logging.getLogger(__name__)

_OTHERS: Final = 0o077
"""What the group and all others may do with what we write: nothing."""

SNAPSHOT_EVERY: Final = 2
"""A killed device costs an image at most so many steps; a snapshot takes a few hundred kilobytes and no waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What one process runs on: the context that handlers get, the database below it and the settings."""

    context: AppContext
    database: Database
    settings: Settings
    supervisor: Supervisor = field(default_factory=Supervisor)


@asynccontextmanager
async def open_runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Bring the database up to date, open the stores and read the models' facts; close all at the end."""
    make_data_folder(settings)
    models = tuple(ModelSource.parse(text).facts() for text in settings.models)
    await migrate(settings.database_url)
    database = await Database.open(settings.database_url)
    try:
        context = AppContext.over(
            database,
            blobs=FileBlobStore(settings.blobs),
            seal=open_encryption(settings),
            models=models,
            commands=COMMANDS,
            jobs=JOBS,
            max_upload_bytes=settings.max_upload_mb * 2**20,
            lora_quota_bytes=_bytes(settings.lora_quota_gb),
        )
        context = replace(
            context,
            most_waiting=settings.waiting_jobs,
            upscalers=Upscalers(folder=settings.upscalers),
            vaes=Vaes(folder=settings.vaes),
            file_hashes=FileHashes(settings.cache),
            allowed_guilds=AllowedGuilds.parse(settings.guilds),
            training_hours=TrainingHours.parse(settings.training_hours),
            exporting=LoraExporter(folder=settings.loras, bases=partial(_bases, settings)),
        )
        yield Runtime(context=context, database=database, settings=settings)
    finally:
        await database.close()


def open_encryption(settings: Settings) -> Encryption:
    """The encryption by LIMNER_KEY, or by the key in the data folder; raises UserError."""
    key = settings.key.get_secret_value() if settings.key else ""
    return Encryption.from_keys(key) if key else Encryption.from_file(settings.data)


def make_data_folder(settings: Settings) -> None:
    """Make the data folder where it is missing, for this user alone, as is all that is written from here on.

    This process's children inherit that. Raises StorageError.
    """
    os.umask(_OTHERS)
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, "the data folder", settings.data) from error
    try:
        _close_to_others(settings.data.resolve())
    except OSError as error:
        _log.warning("take care yourself that no other user can read the data folder: %s", error)


def _close_to_others(folder: Path) -> None:
    """Make the folder private; one that was open may hold files that older versions left open, too."""
    if make_private(folder):
        for path in folder.rglob("*"):
            make_private(path)


def open_devices(settings: Settings, *, serving: bool = False) -> tuple[Device, ...]:
    """The devices of this machine, not yet started; each will be a process of its own.

    Measuring and compiling pay only in a process that will be `serving` for long.
    """
    names = device_names(settings.devices, os.environ)
    return tuple(ChildDevice(_device_spec(settings, name, serving=serving)) for name in names)


def _device_spec(settings: Settings, name: str, *, serving: bool) -> DeviceSpec:
    memory = settings.model_memory_gb
    return DeviceSpec(
        models=settings.models,
        device=name,
        loras=settings.loras,
        controls=settings.controls,
        vaes=settings.vaes,
        control_bytes=_bytes(settings.control_memory_gb),
        snapshot_every=SNAPSHOT_EVERY,
        host_lora_bytes=_bytes(settings.lora_host_memory_gb),
        device_lora_bytes=_bytes(settings.lora_device_memory_gb),
        model_bytes=None if memory is None else _bytes(memory),
        cache=settings.cache,
        calibration_seconds=settings.calibration_seconds if serving else 0.0,
        compile=serving and settings.compile == "auto",
        weights=settings.weights,
    )


def _bytes(gigabytes: float) -> int:
    return int(gigabytes * 1024**3)


def process_name() -> str:
    """A name for logs and claims that no process ever had before: in a container even process numbers repeat."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


def build_worker(runtime: Runtime, devices: tuple[Device, ...], importers: Importers) -> Worker:
    """The worker that feeds `devices` from the runtime's queue."""
    kinds: dict[JobKind, Preparation] = {JobKind.ADD_LORA: _lora_adding(runtime, importers)}
    worker = Worker(
        name=process_name(),
        queue=runtime.context.queue,
        blobs=runtime.context.blobs,
        costs=runtime.context.costs,
        jobs=JOBS,
        devices=devices,
        kinds=kinds,
        images_at_once=runtime.settings.images_at_once,
        drain_seconds=runtime.settings.drain_seconds,
        silence_seconds=runtime.settings.silence_seconds,
        supervisor=runtime.supervisor,
    )
    models = [
        TrainableModel(facts=source.facts(), source=source)
        for source in map(ModelSource.parse, runtime.settings.models)
    ]
    kinds[JobKind.CHECK_IMAGES] = ImageCheck(blobs=runtime.context.blobs, models=models)
    first = devices[0].name if devices else "auto"
    kinds[JobKind.ENLARGE] = Enlarging(
        blobs=runtime.context.blobs, upscalers=runtime.context.upscalers, enlarge=enlarge_apart, device=first
    )
    kinds[JobKind.TRAIN] = _training(runtime, models, first, worker)
    return worker


def _training(runtime: Runtime, models: list[TrainableModel], device: str, worker: Worker) -> Training:
    context, settings = runtime.context, runtime.settings
    return Training(
        room=LoraQuota(loras=context.loras, quota=context.lora_quota_bytes),
        blobs=context.blobs,
        handed=context.handed,
        loras=settings.loras,
        work=settings.trainings,
        models=models,
        train=train_apart,
        busy=lambda: worker.is_busy,
        device=device,
        share=settings.training_share,
        hours=context.training_hours,
    )


def _lora_adding(runtime: Runtime, importers: Importers) -> LoraAdding:
    settings = runtime.settings
    return LoraAdding(
        room=LoraQuota(loras=runtime.context.loras, quota=runtime.context.lora_quota_bytes),
        blobs=runtime.context.blobs,
        keys=runtime.context.source_keys,
        fetch=partial(_fetch, settings),
        folder=settings.loras,
        bases=_bases(settings),
        importer=importers.ready,
        merge=merge_apart,
    )


@asynccontextmanager
async def _open_importers(settings: Settings) -> AsyncIterator[Importers]:
    base = _base(ModelSource.parse(settings.models[0]))
    importers = Importers(lambda: importing(base.configs, base.facts.family))
    try:
        yield importers
    finally:
        await importers.close()


async def _fetch(settings: Settings, link: str, folder: Path, keys: SourceKeys, progress: Progress) -> FetchedFile:
    """Put the file of `link` into `folder`; raises UserError."""
    # Not at the top: it brings two HTTP clients, which only a download needs.
    from pipeline.lora.sources.sources import LoraSources  # noqa: PLC0415

    sources = LoraSources(
        file_hosts=settings.lora_hosts_allowed,
        more_hosts=settings.lora_store_hosts_allowed,
        civitai_base=settings.civitai_base.rstrip("/"),
        hugging_face_base=settings.hugging_face_base.rstrip("/"),
        loopback=settings.lora_loopback,
    )
    return await sources.fetch(link, folder, keys, progress)


def _bases(settings: Settings) -> list[ServedModel]:
    return [_base(ModelSource.parse(text)) for text in settings.models]


def _base(source: ModelSource) -> ServedModel:
    facts, model = source.facts(), source.local_path()
    return ServedModel(facts=facts, model=model, configs=model if model.is_dir() else base_configs(model, facts.family))


def build_delivery(runtime: Runtime, chat: ChatPlatform) -> Delivery:
    """The delivery loop of one platform."""
    return Delivery(context=runtime.context, chat=chat, poster=process_name())


async def _deliver(runtime: Runtime, chat: ChatPlatform | Awaitable[ChatPlatform], stop: asyncio.Event) -> None:
    """Deliver until the stop, once the platform is there."""
    if isinstance(chat, Awaitable):
        awaited, stopping = asyncio.ensure_future(chat), asyncio.create_task(stop.wait())
        await asyncio.wait((awaited, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not awaited.done():
            awaited.cancel()
            return
        chat = awaited.result()
    delivery = build_delivery(runtime, chat)
    await runtime.supervisor.keep(f"delivery to {chat.platform}", partial(delivery.run, stop), stop)


@asynccontextmanager
async def running_duties(runtime: Runtime, importers: Importers | None = None) -> AsyncIterator[None]:
    """Run rescue, retention and collection again and again, rescue also at once; keep one of `importers` ready."""
    rescue = partial(maintenance.rescue_jobs, runtime.context.queue, runtime.settings.stale_seconds)
    # By time that passes, since jobs would wait for as long as a wall clock was set back.
    duties = [runtime.supervisor.repeat("the rescue of jobs", runtime.settings.stale_seconds / 2, rescue, first=0)]
    holding = runtime.context.inbox.hold
    duties.append(
        runtime.supervisor.repeat("the hold on what is answered", runtime.settings.stale_seconds / 4, holding)
    )
    if importers is not None:
        # Later than the start of the devices, which need the cores first.
        duties.append(runtime.supervisor.repeat("the importer that is kept ready", 60, importers.keep_one, first=10))
    housekeeping = _housekeeping(runtime)
    housekeeping.start()
    try:
        yield
    finally:
        housekeeping.shutdown(wait=False)
        for duty in duties:
            duty.cancel()
        await asyncio.gather(*duties, return_exceptions=True)


def _housekeeping(runtime: Runtime) -> AsyncIOScheduler:
    """What is swept every few hours, none of which anyone waits for."""
    context, database, settings = runtime.context, runtime.database, runtime.settings
    scheduler = AsyncIOScheduler(job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None})
    for name, hours, duty in (
        ("retention", 6, partial(maintenance.apply_retention, database, settings.keep_days)),
        ("the collection of blobs", 1, partial(maintenance.sweep_blobs, database, context.blobs)),
        ("the sweep of LoRAs", 1, partial(maintenance.sweep_loras, database, settings.loras)),
        (
            "the sweep of trainings",
            1,
            partial(maintenance.sweep_trainings, database, context.handed, settings.trainings),
        ),
        ("the end of old offers", 1, partial(maintenance.forget_offers, context.clicks, context.inbox, context.calls)),
        ("the purge of guilds", 24, partial(maintenance.purge_guilds, context.guilds)),
    ):
        scheduler.add_job(runtime.supervisor.attempt, "interval", [name, duty], hours=hours)
    return scheduler


@asynccontextmanager
async def running_pool(
    runtime: Runtime, chats: tuple[ChatPlatform | Awaitable[ChatPlatform], ...], *, serving: bool = False
) -> AsyncIterator[Worker]:
    """Run the worker, the deliveries and the duties until the block ends, then stop them softly.

    Delivery to a platform that is yet to come begins when it is there.
    A process that will be `serving` for long has its devices measure themselves first and compile what they often run,
    and keeps an importer of LoRAs ready.
    """
    stop_work, stop_delivery = asyncio.Event(), asyncio.Event()
    async with _open_importers(runtime.settings) as importers:
        worker = build_worker(runtime, open_devices(runtime.settings, serving=serving), importers)
        working = runtime.supervisor.start("the worker", partial(worker.run, stop_work), stop_work)
        deliveries = [asyncio.create_task(_deliver(runtime, chat, stop_delivery)) for chat in chats]
        async with running_duties(runtime, importers if serving else None):
            try:
                yield worker
            finally:
                stop_work.set()
                await working
                stop_delivery.set()
                await asyncio.gather(*deliveries)
