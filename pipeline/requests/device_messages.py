"""What a worker says to a device and what it hears back: plain data, safe to pickle between processes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.requests.control import ControlUse
from pipeline.requests.image_request import ImageRequest
from pipeline.requests.step_cost import StepCost


@dataclass(frozen=True, slots=True, kw_only=True)
class Render:
    """Render the one image of `request` (its count is 1) and answer under `ticket`.

    `snapshot` is what an earlier device said in Stepped: the image goes on from there and comes out the same.
    `images` are those that the request is made from, by their keys; a process reads their files when it begins.
    """

    ticket: str
    request: ImageRequest
    snapshot: bytes | None = None
    images: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawMap:
    """Draw the map of `use` from its image among `images`, `width` by `height` pixels, and answer under `ticket`.

    It is drawn at once, between two steps of whatever else the device does, and cannot be cancelled or set aside.
    """

    ticket: str
    use: ControlUse
    width: int
    height: int
    images: Mapping[str, bytes]


Order = Render | DrawMap
"""What is put on a device and answered under its ticket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """`request` may come soon: load its LoRAs into host memory meanwhile. Never answered."""

    request: ImageRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Drop the image of `ticket` at the next step; answered by `Dropped` unless it was already done."""

    ticket: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspend:
    """Take the image of `ticket` off its slot; answered by `Suspended`, or by its end if only that was left."""

    ticket: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown:
    """Finish nothing more and exit."""


Command = Order | Expect | Cancel | Suspend | Shutdown


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The device has loaded what it needs to begin; `description` is for the log and `limner doctor`.

    `costs` are what it has measured of its own steps, none where it was told not to.
    """

    description: str
    costs: tuple[StepCost, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """The device is at work, and has said nothing else for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """`step` of `steps` denoising steps are done.

    `preview` is a small JPEG every few steps, else None; `snapshot` is all that another device needs to go on from
    here, every `DeviceSpec.snapshot_every` steps, else None.
    """

    ticket: str
    step: int
    steps: int
    preview: bytes | None = None
    snapshot: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The finished image as PNG, a map plain, any other with its parameters; and the device seconds it cost."""

    ticket: str
    png: bytes
    device_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The request can never succeed as it is; `sentence` tells the member what to change."""

    ticket: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Faulted:
    """Something of ours went wrong, or there was not memory enough; the same request may succeed later.

    `why` is for the log.
    """

    ticket: str
    why: str
    out_of_memory: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """The image of `ticket` was cancelled and nothing of it remains on the device."""

    ticket: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspended:
    """The image of `ticket` left the device unfinished.

    `snapshot` is all that a device needs to go on from here, as in Stepped; None if it had not begun here, so that what
    it came with still holds.
    """

    ticket: str
    snapshot: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The device itself is gone; every open ticket with it. `why` is for the log."""

    why: str


Event = Ready | Alive | Stepped | Rendered | Refused | Faulted | Dropped | Suspended | Lost
