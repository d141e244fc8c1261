"""The images of one mix of LoRAs: the scales around those that were asked for, and all of them on one sheet."""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from handlers.jobs.payloads import REQUEST
from pipeline.images.image_process import DrawSheet, ImageProcesses
from pipeline.requests.image_request import USUAL_LORA_SCALE, ImageRequest, LoraUse
from storage.blobs import BlobStore
from storage.queue.images import NewImage
from storage.queue.job_queue import Claim, JobQueue

_ALONE: Final = (0.0, 0.5, 1.0, 1.5)
_TOGETHER: Final = (0.5, 1.0, 1.5)
_SIDE: Final = 512
"""The longest side of an image on the sheet, in pixels: nine of them are one that every chat takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleGrid:
    """The first LoRA at each of the scales in `columns`, the second at those in `rows`; more stay as they were asked.

    Made from a request by `of` alone, so that a job's row need not hold it.
    """

    request: ImageRequest
    columns: tuple[LoraUse, ...]
    rows: tuple[LoraUse, ...]

    @classmethod
    def of(cls, request: ImageRequest) -> "ScaleGrid":
        """The grid around a request with at least one LoRA."""
        first, *others = request.loras
        factors = _TOGETHER if others else _ALONE
        return cls(
            request=request,
            columns=tuple(dict.fromkeys(_scaled(first, factor) for factor in factors)),
            rows=tuple(dict.fromkeys(_scaled(use, factor) for use in others[:1] for factor in factors)),
        )

    @property
    def images(self) -> tuple[ImageRequest, ...]:
        """A request for each image, row by row, alike in all but the scales."""
        rows: list[tuple[LoraUse, ...]] = [(row,) for row in self.rows] or [()]
        others = self.request.loras[1 + len(rows[0]) :]
        return tuple(
            replace(self.request, count=1, loras=(column, *row, *others)) for row in rows for column in self.columns
        )

    def sheet(self, sources: tuple[Path, ...], target: Path) -> DrawSheet:
        """The order to draw the images, in their order, under the names and scales of the LoRAs."""
        return DrawSheet(
            sources=sources,
            target=target,
            columns=tuple(map(_label, self.columns)),
            rows=tuple(map(_label, self.rows)) or ("",),
            side=_SIDE,
        )


def _scaled(use: LoraUse, factor: float) -> LoraUse:
    own = use.text_encoder_scale
    return replace(
        use, scale=_times(use.scale, factor), text_encoder_scale=None if own is None else _times(own, factor)
    )


def _times(scale: float, factor: float) -> float:
    most = max(USUAL_LORA_SCALE, abs(scale))
    # Rounded, so that a label says all of it.
    return round(max(-most, min(most, scale * factor)), 3)


def _label(use: LoraUse) -> str:
    return f"{use.name} {use.scale:g}"


async def record_sheet(claim: Claim, queue: JobQueue, blobs: BlobStore, images: ImageProcesses) -> None:
    """Draw and record the sheet of a mix, unless an earlier attempt did or its images were deleted meanwhile."""
    job, grid = claim.job, ScaleGrid.of(REQUEST.read(claim.job.payload))
    made = await queue.images(job.guild_id, job.id)
    if len(made) != len(grid.images):
        return
    sources = tuple([await blobs.file(part.blob) for part in made])
    with TemporaryDirectory() as folder:
        order = grid.sheet(sources, Path(folder, "sheet.png"))
        width, height = await images.draw_sheet(order, job.share)
        blob = await blobs.put_file(order.target)
    sheet = NewImage(
        index=len(made), blob=blob, width=width, height=height, seed=grid.request.seed,
        parameters="", nsfw=any(part.nsfw for part in made),
    )  # fmt: skip
    await queue.record_image(claim, sheet)
