"""Images opened in child processes with limits: the parent holds their files alone, whatever is in them.

A file of some kilobytes may unfold into gigabytes, keep a decoder busy for hours, or take it over.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from pipeline.errors import InvalidRequest, UserError
from pipeline.images.input_image import MAX_BYTES, Ground
from pipeline.images.outpaint import Direction
from pipeline.images.programs.parameters import ProgramParameters
from pipeline.processes.child import ask, running
from pipeline.processes.fair_turns import FairTurns, Share

KEPT_PIXELS: Final = 2048 * 2048
"""An image is drawn over in the size of its request, which is smaller."""

KEPT_WHOLE: Final = 4096 * 4096
"""Where a part of an image is drawn and the rest is kept as it is."""

_PROGRAM: Final = "pipeline.images.image_program"
_BROKEN: Final = "The picture could not be opened; save it again as a PNG or JPEG and send that."
_SLOW: Final = (
    "The picture took longer than {seconds:.0f} seconds to open; save it as a plain PNG or JPEG and send that."
)
_CROWDED: Final = "Too many of your pictures are being opened; send this one again when they are done."
_NO_PROCESS: Final = "This server is too busy to open pictures; send it again in a minute."


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """At most `at_once` images are opened at a time, `most_each` of them of one group, and `most_waiting` of one person
    wait; each has `memory` bytes and so many `seconds`.
    """

    at_once: int = 3
    most_each: int = 2
    most_waiting: int = 32
    memory: int = 768 * 2**20
    seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeImage:
    """An order to check an untrusted file and write its pixels to `target`, with no more than `most_pixels`.

    Where it is transparent, `mask` becomes a PNG that is white there. `field` is the option that brought it, `keywords`
    are those of the texts in the file that are asked for, `ground` is put under what is transparent.
    """

    source: Path
    target: Path
    mask: Path
    field: str
    max_bytes: int = MAX_BYTES
    most_pixels: int = KEPT_PIXELS
    keywords: tuple[str, ...] = ()
    ground: Ground = Ground.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenImage:
    """The upright `size` of a file that was taken, the `kept_size` that is left of it, and whether it has a mask.

    `texts` are those in it that were asked for, by keyword; only a PNG has any.
    """

    size: tuple[int, int]
    kept_size: tuple[int, int]
    has_mask: bool
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WidenImage:
    """An order to write an image with more around it to `target`, and to `mask` where it is to be drawn: where it is
    new, and where `hidden`, a mask of the image as it was, is white.
    """

    source: Path
    target: Path
    mask: Path
    direction: Direction
    amount: int
    hidden: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeLight:
    """The question whether an image is a drawing on paper rather than light lines on black."""

    source: Path
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawSheet:
    """An order to write images side by side to `target`, each at most `side` pixels long, under and beside names."""

    sources: tuple[Path, ...]
    target: Path
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    side: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressImage:
    """An order to write an image as the best WebP of at most the first of `most_bytes`, or else of the second."""

    source: Path
    target: Path
    most_bytes: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadParameters:
    """The question how an image was made, by what its file says."""

    source: Path


_Order = TakeImage | WidenImage | JudgeLight | DrawSheet | CompressImage | ReadParameters
_PARAMETERS: Final = TypeAdapter(ProgramParameters)


Opener = Callable[[str, Mapping[str, Any], ImageLimits], Awaitable[dict[str, Any]]]
"""Has the program of that name do an order within limits, and answers as it; raises UserError."""


async def open_apart(program: str, order: Mapping[str, Any], limits: ImageLimits) -> dict[str, Any]:
    """Have a program that opens images do its order, in a child process.

    Args:
        program: as in `start`; it calls `pipeline.processes.program.answer`.
        order: as in `pipeline.processes.child.ask`.
        limits: of the process.

    Returns:
        The answer.

    Raises:
        UserError: the program refuses, is broken or too slow, or cannot be started.
    """
    try:
        async with running(program) as child:
            return await ask(child, order, seconds=limits.seconds, broken=_BROKEN, slow=_SLOW, memory=limits.memory)
    except OSError as error:
        raise UserError(_NO_PROCESS) from error


class ImageProcesses:
    """Child processes that open images, each for one order.

    Args:
        limits: what they may have.
        opener: starts one and asks it.
    """

    def __init__(self, limits: ImageLimits | None = None, opener: Opener = open_apart) -> None:
        self._limits, self._opener = limits or ImageLimits(), opener
        self._turns = FairTurns(
            at_once=self._limits.at_once,
            most_each=self._limits.most_each,
            most_waiting=self._limits.most_waiting,
            crowded=_CROWDED,
        )

    async def take(self, order: TakeImage, share: Share) -> TakenImage:
        """Check an untrusted file and write its pixels.

        Args:
            order: which, and where to.
            share: who asks.

        Returns:
            What it was.

        Raises:
            InvalidRequest: the file is no image, is animated, is too large, or takes too long.
        """
        try:
            answer = await self._ask(order, share)
        except UserError as error:
            raise InvalidRequest(order.field, str(error)) from error
        width, height = answer["size"]
        across, down = answer["kept_size"]
        return TakenImage(
            size=(width, height), kept_size=(across, down), has_mask=answer["has_mask"], texts=answer["texts"]
        )

    async def widen(self, order: WidenImage, share: Share) -> tuple[int, int]:
        """Write an image with more around it.

        Args:
            order: which, and where to.
            share: who asks.

        Returns:
            Its new size.

        Raises:
            UserError: it cannot be done.
        """
        width, height = (await self._ask(order, share))["size"]
        return width, height

    async def is_light(self, question: JudgeLight, share: Share) -> bool:
        """Judge whether an image is a drawing on paper.

        Args:
            question: which.
            share: who asks.

        Returns:
            As `is_mostly_light`.

        Raises:
            UserError: it cannot be opened.
        """
        return bool((await self._ask(question, share))["is_light"])

    async def draw_sheet(self, order: DrawSheet, share: Share) -> tuple[int, int]:
        """Write images side by side.

        Args:
            order: which, and where to.
            share: for whom.

        Returns:
            The size of the sheet.

        Raises:
            UserError: it cannot be done.
        """
        width, height = (await self._ask(order, share))["size"]
        return width, height

    async def compress(self, order: CompressImage, share: Share) -> bool:
        """Write an image as a WebP.

        Args:
            order: which, and where to.
            share: for whom.

        Returns:
            Whether one of acceptable quality fits.

        Raises:
            UserError: it cannot be opened.
        """
        return bool((await self._ask(order, share))["fits"])

    async def read_parameters(self, question: ReadParameters, share: Share) -> str | ProgramParameters:
        """Find what an image says of how it was made.

        Args:
            question: which.
            share: who asks.

        Returns:
            The text for `pipeline.images.metadata.parse` of an image of ours, else what its program says.

        Raises:
            UserError: the file is no image, is damaged, or says nothing.
        """
        answer = await self._ask(question, share)
        own: str | None = answer["own"]
        return _PARAMETERS.validate_python(answer["program"]) if own is None else own

    async def ask(self, program: str, order: Mapping[str, Any], share: Share) -> dict[str, Any]:
        """Have another program that opens images do its order, within the same limits.

        Args:
            program: as in `open_apart`.
            order: as in `open_apart`.
            share: for whom.

        Returns:
            The answer.

        Raises:
            UserError: the program refuses, is broken or too slow, or cannot be started.
        """
        async with self._turns.turn(share):
            return await self._opener(program, order, self._limits)

    async def _ask(self, order: _Order, share: Share) -> dict[str, Any]:
        return await self.ask(_PROGRAM, {"task": type(order).__name__, **asdict(order)}, share)
