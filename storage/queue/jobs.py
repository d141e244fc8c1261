"""A job: what a member asked for, the states that it passes through, and the ways in which an attempt can end."""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import ClassVar, Final

from storage.queue.reply_address import ReplyAddress


class JobKind(str):
    """What a job makes, by a name that its row keeps; a further kind is one more name, beside its own description."""

    __slots__ = ()
    IMAGINE: ClassVar["JobKind"]
    ADD_LORA: ClassVar["JobKind"]
    DRAW_MAP: ClassVar["JobKind"]
    MIX_LORAS: ClassVar["JobKind"]
    ENLARGE: ClassVar["JobKind"]
    CHECK_IMAGES: ClassVar["JobKind"]
    TRAIN: ClassVar["JobKind"]


JobKind.IMAGINE = JobKind("imagine")
JobKind.ADD_LORA = JobKind("add lora")
JobKind.DRAW_MAP = JobKind("draw map")
JobKind.MIX_LORAS = JobKind("mix loras")
JobKind.ENLARGE = JobKind("enlarge")
JobKind.CHECK_IMAGES = JobKind("check images")
JobKind.TRAIN = JobKind("train")


class JobState(StrEnum):
    """The states of a job; docs/job-states.md draws the transitions between them."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN_STATES: Final = (JobState.QUEUED, JobState.RUNNING)
"""The states that a job can still leave."""


class Transition(Enum):
    """Every change of state that there is: its name in docs/job-states.md, where it starts, where it ends."""

    CLAIM = ("claim", JobState.QUEUED, JobState.RUNNING)
    CANCEL_WAITING = ("cancel while queued", JobState.QUEUED, JobState.CANCELLED)
    DONE = ("done", JobState.RUNNING, JobState.DONE)
    GIVE_UP = ("give up", JobState.RUNNING, JobState.FAILED)
    RETRY = ("retry", JobState.RUNNING, JobState.QUEUED)
    EXHAUST = ("retry without attempts left", JobState.RUNNING, JobState.FAILED)
    CANCEL = ("cancel", JobState.RUNNING, JobState.CANCELLED)
    SOFT_STOP = ("soft stop", JobState.RUNNING, JobState.QUEUED)
    ISOLATE = ("isolate", JobState.RUNNING, JobState.QUEUED)
    RESCUE = ("rescue", JobState.RUNNING, JobState.QUEUED)
    ABANDON = ("rescue without attempts left", JobState.RUNNING, JobState.FAILED)

    def __init__(self, label: str, source: JobState, target: JobState) -> None:
        self.label = label
        self.source = source
        self.target = target


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to enqueue.

    `payload` is the handler's own text; `blobs` are the keys of the blobs that it mentions, kept for as long as the
    job; `loras` are the keys of the LoRAs that it uses or is to make. `cost_key` names jobs that cost alike and
    `cost_units` counts this one's share (megapixel-steps, for an image): together they predict device seconds.
    `seconds_per_unit` is the prediction until a job like it was done. With this one, at most `most_waiting` of the
    member's jobs may wait in the guild. `received_id` is what of the inbox it answers.
    """

    guild_id: int
    member_id: str
    member_name: str
    kind: JobKind
    payload: str
    reply: ReplyAddress
    cost_key: str
    cost_units: float
    seconds_per_unit: float | None = None
    blobs: tuple[str, ...] = ()
    loras: tuple[str, ...] = ()
    most_waiting: int | None = None
    received_id: int | None = None


class TooManyWaiting(Exception):
    """A member's job was not taken, since `waiting` of theirs wait in the guild already."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} jobs wait already")
        self.waiting = waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it was when read.

    Times are the database clock's, close to Unix seconds; `attempt` counts claims that were not handed back;
    `restarts` counts returns to the queue for no fault of the job; `together` is set for a suspect, which was on a
    device when it died: so many jobs may be on its next device, itself included. `preview` is a small encoded image,
    there only while the job runs; `error` is the sentence for the member when the job failed, or the reason of its last
    retry.
    """

    id: int
    guild_id: int
    member_id: str
    member_name: str
    kind: JobKind
    payload: str
    state: JobState
    attempt: int
    max_attempts: int
    restarts: int
    together: int | None
    cancel_requested: bool
    step: int
    steps: int
    preview: bytes | None
    error: str | None
    estimated_seconds: float
    device_seconds: float | None
    created_at: float
    run_after: float
    started_at: float | None
    finished_at: float | None

    @property
    def share(self) -> tuple[str, str]:
        """By whom fair turns are counted: the guild, and the member in it."""
        return str(self.guild_id), self.member_id

    def log_context(self) -> dict[str, object]:
        """What each log line about this job carries as `extra`."""
        return {
            "job_id": self.id,
            "guild_id": self.guild_id,
            "member_id": self.member_id,
            "kind": str(self.kind),
            "attempt": self.attempt,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The attempt made what was asked, in `device_seconds` of one device."""

    device_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The attempt failed and another may succeed, not before `after_seconds`; `why` is a sentence for the member."""

    after_seconds: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """No attempt can succeed; `sentence` tells the member why and what to do."""

    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The attempt stopped because somebody asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Died:
    """The device died under the attempt with `jobs` on it; `alone` if nothing but this job can be what killed it."""

    jobs: int
    alone: bool


Outcome = Done | Retry | GiveUp | Cancelled | Died
