"""A claimed job while its images are on a device: what is still missing, and how far it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.images.metadata import read
from pipeline.images.png_text import read_size
from pipeline.requests.device_messages import DrawMap, Order, Render, Rendered, Stepped
from pipeline.requests.image_request import ImageRequest
from storage.queue.images import NewImage
from storage.queue.job_queue import Beat, Claim
from storage.queue.jobs import JobKind
from storage.queue.snapshots import StoredSnapshot


@dataclass(slots=True, kw_only=True)
class OpenJob:
    """The worker's memory of one claim; `missing` holds the indexes of images not yet recorded.

    `snapshot` is what earlier attempts left of them, by index; `preempted` says that the device was asked to suspend it
    for another job; `handed` are the images that the requests are made from, by their keys.
    """

    claim: Claim
    images: tuple[ImageRequest, ...]
    missing: set[int]
    snapshot: dict[int, bytes] = field(default_factory=dict)
    handed: Mapping[str, bytes] = field(default_factory=dict)
    device_seconds: float = 0.0
    preview: bytes | None = None
    cancelled: bool = False
    preempted: bool = False
    _steps: dict[int, int] = field(default_factory=dict)
    _suspended: set[int] = field(default_factory=set)
    _unsaved: dict[int, bytes] = field(default_factory=dict)

    @property
    def is_map(self) -> bool:
        """Whether it is a map, which is drawn between two steps and takes no slot."""
        return self.claim.job.kind == JobKind.DRAW_MAP

    def orders(self) -> tuple[Order, ...]:
        """What to ask of the device: the images that an earlier attempt did not finish, from where it left them."""
        return tuple(self._order(index) for index in sorted(self.missing))

    def _order(self, index: int) -> Order:
        ticket, image = self.ticket(index), self.images[index]
        if not self.is_map:
            return Render(ticket=ticket, request=image, snapshot=self.snapshot.get(index), images=self.handed)
        use = image.controls[0]
        return DrawMap(ticket=ticket, use=use, width=image.width, height=image.height, images=self.handed)

    def row_of(self, rendered: Rendered, blob: str) -> NewImage:
        """The row of a finished image whose bytes lie in `blob`; a map has no parameters."""
        index = index_of(rendered.ticket)
        request = self.images[index]
        width, height = read_size(rendered.png)
        # Here a classifier says what `nsfw` is; without one nothing is flagged.
        return NewImage(
            index=index,
            blob=blob,
            width=width,
            height=height,
            seed=request.seed,
            parameters="" if self.is_map else read(rendered.png).parameters(),
        )

    def ticket(self, index: int) -> str:
        """The device's name for image `index`; it carries the claim, so an old attempt's answer is told apart."""
        return f"{self.claim.job.id}.{self.claim.token}.{index}"

    def tickets(self) -> tuple[str, ...]:
        """The tickets of every image that is still missing."""
        return tuple(self.ticket(index) for index in sorted(self.missing))

    def note(self, index: int, stepped: Stepped) -> None:
        """Take in one step's progress."""
        self._steps[index] = stepped.step
        if stepped.preview is not None:
            self.preview = stepped.preview
        if stepped.snapshot is not None:
            self._unsaved[index] = stepped.snapshot

    def finish(self, index: int, device_seconds: float) -> None:
        """Take in that an image is recorded."""
        self.missing.discard(index)
        self._unsaved.pop(index, None)
        self.device_seconds += device_seconds

    def suspend(self, index: int, snapshot: bytes | None) -> None:
        """Take in that an image left the device unfinished."""
        self._suspended.add(index)
        if snapshot is not None:
            self._unsaved[index] = snapshot

    @property
    def is_suspended(self) -> bool:
        """Whether nothing of the job is on the device though images are missing."""
        return bool(self.missing) and self.missing <= self._suspended

    def unsaved(self) -> tuple[StoredSnapshot, ...]:
        """The newest of each unfinished image that the queue does not have yet."""
        return tuple(StoredSnapshot(index=index, data=data) for index, data in sorted(self._unsaved.items()))

    def mark_saved(self, snapshot: Iterable[StoredSnapshot]) -> None:
        """The queue has these now; newer ones may have come meanwhile."""
        for image in snapshot:
            if self._unsaved.get(image.index) is image.data:
                del self._unsaved[image.index]

    def beat(self) -> Beat:
        """The progress over all images and the snapshots since the last beat, for the job's row."""
        finished = sum(image.steps_made for index, image in enumerate(self.images) if index not in self.missing)
        running = sum(self._steps.get(index, 0) for index in self.missing)
        total = sum(image.steps_made for image in self.images)
        return Beat(
            claim=self.claim, step=finished + running, steps=total, preview=self.preview, snapshot=self.unsaved()
        )

    def seconds_left(self) -> float:
        """The device seconds predicted for the steps that are not made yet."""
        beat = self.beat()
        return self.claim.job.estimated_seconds * (1 - beat.step / beat.steps)


def index_of(ticket: str) -> int:
    """The image's index within its job."""
    return int(ticket.rpartition(".")[2])
