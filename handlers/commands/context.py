"""Everything that a handler may need, put together once at start-up."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, Self

from handlers.commands.actions import Action
from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.groups import split_call, unknown
from handlers.commands.typed import check_typed
from handlers.context.allowed_guilds import AllowedGuilds
from handlers.context.lora_exporter import LoraExporter
from handlers.context.training_hours import TrainingHours
from handlers.messages.message import Message, ShownImage, Verb
from pipeline.errors import InvalidRequest
from pipeline.images.image_process import ImageProcesses
from pipeline.images.upscalers import Upscalers
from pipeline.models.file_hash import FileHashes
from pipeline.models.metadata import ModelFacts
from pipeline.models.vaes import Vaes
from pipeline.processes.fair_turns import FairTurns
from pipeline.requests.image_request import MAX_SEED
from storage.blobs import BlobStore
from storage.database import Database
from storage.encryption import Encryption
from storage.guilds.audit import AuditLog
from storage.guilds.connections import Connections
from storage.guilds.guilds import GuildStore
from storage.guilds.member_data import MemberData
from storage.guilds.source_credentials import SourceKeyStore
from storage.library.loras import LoraStore
from storage.library.training_uploads import TrainingUploads
from storage.queue.deduplication import Deduplication
from storage.queue.images import StoredImage
from storage.queue.inbox import Inbox
from storage.queue.job_queue import JobQueue
from storage.queue.jobs import Job, JobKind
from storage.queue.key_values import KeyValues
from storage.queue.outbox import Outbox
from storage.queue.pending_calls import SavedCalls
from storage.queue.step_costs import StepCosts

_NO_LIMIT: Final = 2**31
_CALLS_OF_ONE: Final = 2
_MOST_CALLS: Final = 200
_CROWDED: Final = "Too many of your commands are being read at once; send this one again when they are answered."


def random_seed() -> int:
    """A seed that nobody chose."""
    return random.SystemRandom().randint(0, MAX_SEED)


def member_turns() -> FairTurns:
    """Turns at commands: a member who sends many at once waits for their own, and nobody else does."""
    return FairTurns(at_once=_NO_LIMIT, most_each=_CALLS_OF_ONE, most_waiting=_MOST_CALLS, crowded=_CROWDED)


class JobTable(Protocol):
    """What is asked of the table of job kinds: `handlers.jobs.job_spec.JobSpecs`, which stands above."""

    def title(self, job: Job) -> str:
        """What the job is about, in a line."""

    def is_shown(self, image: StoredImage, job: Job) -> bool:
        """Whether members see the image."""

    def waits(self, job: Job) -> bool:
        """Whether the job has a place in the queue."""

    def action(self, job: Job, verb: Verb) -> Action | None:
        """What the button does to the job; None where its kind has no such button of its own."""

    async def enqueue(self, kind: JobKind, payload: object, caller: Caller, context: "AppContext") -> Message:
        """Queue a job of that kind, and say when it will come."""

    async def final_message(self, job: Job, images: tuple[ShownImage, ...], context: "AppContext") -> Message:
        """The message at the end of the job, with the images that may be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppContext:
    """The stores, the models (the first is the default), the commands, the kinds of job and the limits."""

    queue: JobQueue
    inbox: Inbox
    outbox: Outbox
    guilds: GuildStore
    connections: Connections
    blobs: BlobStore
    audit: AuditLog
    calls: SavedCalls
    clicks: Deduplication
    members: MemberData
    notes: KeyValues
    costs: StepCosts
    loras: LoraStore
    source_keys: SourceKeyStore
    handed: TrainingUploads
    models: tuple[ModelFacts, ...]
    commands: tuple[Command, ...]
    jobs: JobTable
    max_upload_bytes: int = 200 * 2**20
    lora_quota_bytes: int = 10 * 2**30
    allowed_guilds: AllowedGuilds = field(default_factory=AllowedGuilds)
    most_waiting: int | None = 20
    calls_at_once: FairTurns = field(default_factory=member_turns)
    training_hours: TrainingHours = field(default_factory=TrainingHours)
    upscalers: Upscalers = field(default_factory=Upscalers)
    vaes: Vaes = field(default_factory=Vaes)
    exporting: LoraExporter = field(default_factory=LoraExporter)
    images: ImageProcesses = field(default_factory=ImageProcesses)
    file_hashes: FileHashes = field(default_factory=FileHashes)
    new_seed: Callable[[], int] = random_seed

    @classmethod
    def over(
        cls,
        database: Database,
        *,
        blobs: BlobStore,
        seal: Encryption,
        models: tuple[ModelFacts, ...],
        commands: tuple[Command, ...],
        jobs: JobTable,
        max_upload_bytes: int = 200 * 2**20,
        lora_quota_bytes: int = 10 * 2**30,
    ) -> Self:
        """The context whose stores all lie in `database`."""
        return cls(
            queue=JobQueue(database),
            inbox=Inbox(database, seal),
            outbox=Outbox(database),
            guilds=GuildStore(database),
            connections=Connections(database),
            blobs=blobs,
            audit=AuditLog(database),
            calls=SavedCalls(database),
            clicks=Deduplication(database),
            members=MemberData(database),
            notes=KeyValues(database),
            costs=StepCosts(KeyValues(database)),
            loras=LoraStore(database),
            source_keys=SourceKeyStore(database, seal),
            handed=TrainingUploads(database),
            models=models,
            commands=commands,
            jobs=jobs,
            max_upload_bytes=max_upload_bytes,
            lora_quota_bytes=lora_quota_bytes,
        )

    def model(self, name: str | None) -> ModelFacts:
        """The model called `name`, or the default for None; raises InvalidRequest with the names that exist."""
        if name is None:
            return self.models[0]
        for facts in self.models:
            if facts.name == name:
                return facts
        names = ", ".join(facts.name for facts in self.models)
        raise InvalidRequest("model", f"model '{name:.60}' is not served here; choose one of: {names}.")

    def command(self, name: str) -> Command:
        """The command or group called `name`, however it was typed; raises InvalidRequest with the nearest name."""
        command, rest = self.called(name)
        if rest:
            raise unknown(name, self.commands)
        return command

    def called(self, text: str) -> tuple[Command, str]:
        """The command that `text` begins with, and the rest of it; raises InvalidRequest with the nearest name."""
        check_typed(text)
        found = split_call(text, self.commands)
        if found is None:
            raise unknown(text, self.commands)
        return found
