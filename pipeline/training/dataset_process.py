"""Images that a member hands over to be learnt, examined in a process of its own."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from pipeline.errors import UserError
from pipeline.images.image_process import ImageLimits, ImageProcesses
from pipeline.processes.fair_turns import Share
from pipeline.training.request import MIN_IMAGES

_PROGRAM: Final = "pipeline.training.dataset_program"
_LIMITS: Final = ImageLimits(at_once=2, most_each=1, seconds=90.0)
"""Twenty images take longer than one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedPath:
    """A file as it came: `name` is the member's, of what is in it nothing is known."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamineImages:
    """An order to write the images of `files` into `folder`, as PNGs cut for a model of `native_size`.

    Each side must have `smallest` pixels; `left_out` are numbers of files that the member does not want. `sheet`
    becomes a PNG that shows them all.
    """

    files: tuple[HandedPath, ...]
    folder: Path
    native_size: int
    smallest: int
    left_out: tuple[int, ...] = ()
    sheet: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminedImage:
    """One file: `path` is its image as it will be used, or there is a `reason` why it will not."""

    path: Path
    reason: str = ""

    @property
    def is_used(self) -> bool:
        """Whether it will be learnt."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class ImageExaminer:
    """Examines what members hand over for a training, in processes with limits."""

    processes: ImageProcesses = field(default_factory=lambda: ImageProcesses(_LIMITS))

    async def examine(self, order: ExamineImages, share: Share) -> tuple[ExaminedImage, ...]:
        """Examine files that may hold anything.

        Args:
            order: which, and where to.
            share: who asks.

        Returns:
            What became of each, in their order.

        Raises:
            UserError: they are too many or too large, a ZIP cannot be read, or it takes too long.
        """
        answer = await self.processes.ask(_PROGRAM, asdict(order), share)
        return tuple(
            ExaminedImage(path=order.folder / f"{number}.png", reason=reason)
            for number, reason in enumerate(answer["reasons"], start=1)
        )


def check_enough(images: Sequence[ExaminedImage]) -> None:
    """Check that a training has enough to learn from.

    Args:
        images: all that were examined.

    Raises:
        UserError: fewer than MIN_IMAGES will be used; says why.
    """
    used = sum(one.is_used for one in images)
    if used < MIN_IMAGES:
        reasons = "; ".join(dict.fromkeys(one.reason for one in images if not one.is_used))
        why = f" ({reasons})" if reasons else ""
        raise UserError(f"{used} of {len(images)} pictures can be used{why}; training needs {MIN_IMAGES} or more.")
