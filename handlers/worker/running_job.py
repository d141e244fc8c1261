"""A claimed job while its pictures are on a device: what is still missing, and how far it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from handlers.images.grid import MixGrid
from pipeline.images.metadata import read
from pipeline.requests.device_messages import DrawMap, Order, Render, Rendered, Stepped
from pipeline.requests.image_request import ImageRequest
from storage.queue.images import NewPicture
from storage.queue.job_queue import Beat, Claim
from storage.queue.jobs import Job, JobKind
from storage.queue.snapshots import ParkedPicture


@dataclass(slots=True, kw_only=True)
class OpenJob:
    """The worker's memory of one claim; `missing` holds the indexes of pictures not yet recorded.

    `parked` is what earlier attempts left of them, by index; `leaving` says that the device was asked to set it aside
    for another job; `handed` are the bytes of the pictures that the requests are made from, by their keys.
    """

    claim: Claim
    pictures: tuple[ImageRequest, ...]
    missing: set[int]
    parked: dict[int, bytes] = field(default_factory=dict)
    handed: Mapping[str, bytes] = field(default_factory=dict)
    device_seconds: float = 0.0
    preview: bytes | None = None
    cancelled: bool = False
    leaving: bool = False
    _steps: dict[int, int] = field(default_factory=dict)
    _aside: set[int] = field(default_factory=set)
    _unsaved: dict[int, bytes] = field(default_factory=dict)

    @property
    def is_map(self) -> bool:
        """Whether it is a map, which is drawn between two steps and takes no seat."""
        return self.claim.job.kind is JobKind.DRAW_MAP

    def orders(self) -> tuple[Order, ...]:
        """What to ask of the device: the pictures that an earlier attempt did not finish, from where it left them."""
        return tuple(self._order(index) for index in sorted(self.missing))

    def _order(self, index: int) -> Order:
        ticket, picture = self.ticket(index), self.pictures[index]
        if not self.is_map:
            return Render(ticket=ticket, request=picture, parked=self.parked.get(index), pictures=self.handed)
        use = picture.controls[0]
        data = self.handed[use.picture]
        return DrawMap(ticket=ticket, use=use, width=picture.width, height=picture.height, picture=data)

    def row_of(self, rendered: Rendered, blob: str) -> NewPicture:
        """The row of a finished picture whose bytes lie in `blob`; a map has no parameters."""
        index = index_of(rendered.ticket)
        request = self.pictures[index]
        # Here a classifier says what `mature` is; without one nothing is flagged.
        return NewPicture(
            index=index,
            blob=blob,
            width=request.width,
            height=request.height,
            seed=request.seed,
            parameters="" if self.is_map else read(rendered.png).parameters(),
        )

    def ticket(self, index: int) -> str:
        """The device's name for picture `index`; it carries the claim, so an old attempt's answer is told apart."""
        return f"{self.claim.job.id}.{self.claim.token}.{index}"

    def tickets(self) -> tuple[str, ...]:
        """The tickets of every picture that is still missing."""
        return tuple(self.ticket(index) for index in sorted(self.missing))

    def note(self, index: int, stepped: Stepped) -> None:
        """Take in one step's progress."""
        self._steps[index] = stepped.step
        if stepped.preview is not None:
            self.preview = stepped.preview
        if stepped.parked is not None:
            self._unsaved[index] = stepped.parked

    def finish(self, index: int, device_seconds: float) -> None:
        """Take in that a picture is recorded."""
        self.missing.discard(index)
        self._unsaved.pop(index, None)
        self.device_seconds += device_seconds

    def set_aside(self, index: int, parked: bytes | None) -> None:
        """Take in that a picture left the device unfinished."""
        self._aside.add(index)
        if parked is not None:
            self._unsaved[index] = parked

    @property
    def is_aside(self) -> bool:
        """Whether nothing of the job is on the device though pictures are missing."""
        return bool(self.missing) and self.missing <= self._aside

    def unsaved(self) -> tuple[ParkedPicture, ...]:
        """The newest of each unfinished picture that the queue does not have yet."""
        return tuple(ParkedPicture(index=index, data=data) for index, data in sorted(self._unsaved.items()))

    def mark_saved(self, parked: Iterable[ParkedPicture]) -> None:
        """The queue has these now; newer ones may have come meanwhile."""
        for picture in parked:
            if self._unsaved.get(picture.index) is picture.data:
                del self._unsaved[picture.index]

    def beat(self) -> Beat:
        """The progress over all pictures and what was parked since the last beat, for the job's row."""
        finished = sum(picture.steps_made for index, picture in enumerate(self.pictures) if index not in self.missing)
        running = sum(self._steps.get(index, 0) for index in self.missing)
        total = sum(picture.steps_made for picture in self.pictures)
        return Beat(claim=self.claim, step=finished + running, steps=total, preview=self.preview, parked=self.unsaved())

    def seconds_left(self) -> float:
        """The device seconds predicted for the steps that are not made yet."""
        beat = self.beat()
        return self.claim.job.estimated_seconds * (1 - beat.step / beat.steps)


def pictures_of(job: Job, request: ImageRequest) -> tuple[ImageRequest, ...]:
    """One request for each picture that the job makes; a map is one, however many pictures it is for."""
    match job.kind:
        case JobKind.IMAGINE | JobKind.ADD_LORA:
            return request.pictures()
        case JobKind.DRAW_MAP:
            return request.pictures()[:1]
        case JobKind.MIX_LORAS:
            return MixGrid.of(request).pictures
        case JobKind.ENLARGE | JobKind.CHECK_PICTURES | JobKind.TRAIN:
            raise ValueError(f"a job to {job.kind} renders nothing")
        case _:
            assert_never(job.kind)


def index_of(ticket: str) -> int:
    """The picture's index within its job."""
    return int(ticket.rpartition(".")[2])
