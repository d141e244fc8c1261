"""A claimed job while its pictures are on a device: what is still missing, and how far it is."""

from dataclasses import dataclass, field

from pipeline.device_messages import Render, Stepped
from pipeline.image_request import ImageRequest
from storage.job_queue import Beat, Claim


@dataclass(slots=True, kw_only=True)
class OpenJob:
    """The worker's memory of one claim; `missing` holds the indexes of pictures not yet recorded."""

    claim: Claim
    pictures: tuple[ImageRequest, ...]
    missing: set[int]
    device_seconds: float = 0.0
    preview: bytes | None = None
    cancelled: bool = False
    _steps: dict[int, int] = field(default_factory=dict)

    def renders(self) -> tuple[Render, ...]:
        """What to ask of the device: the pictures that an earlier attempt did not finish."""
        return tuple(Render(ticket=self.ticket(index), request=self.pictures[index]) for index in sorted(self.missing))

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

    def beat(self) -> Beat:
        """The progress over all pictures, for the job's row."""
        finished = sum(self.pictures[index].steps for index in range(len(self.pictures)) if index not in self.missing)
        running = sum(self._steps.get(index, 0) for index in self.missing)
        total = sum(picture.steps for picture in self.pictures)
        return Beat(claim=self.claim, step=finished + running, steps=total, preview=self.preview)


def index_of(ticket: str) -> int:
    """The picture's index within its job."""
    return int(ticket.rpartition(".")[2])
