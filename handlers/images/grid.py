"""The images of one mix of LoRAs: the scales around those that were asked for, and all of them on one sheet."""

import asyncio
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from PIL import Image

from handlers.jobs.payloads import REQUEST
from pipeline.images.grid import labelled_grid
from pipeline.requests.image_request import MAX_LORA_SCALE, ImageRequest, LoraUse
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

    def sheet(self, images: Sequence[bytes]) -> bytes:
        """The images, in their order, under the names and scales of the LoRAs; a PNG."""
        shown = [_opened(data) for data in images]
        rows = [_label(row) for row in self.rows] or [""]
        file = io.BytesIO()
        labelled_grid(shown, [_label(column) for column in self.columns], rows).save(file, "PNG")
        return file.getvalue()


def _scaled(use: LoraUse, factor: float) -> LoraUse:
    own = use.text_encoder_scale
    return replace(
        use, scale=_within(use.scale * factor), text_encoder_scale=None if own is None else _within(own * factor)
    )


def _within(scale: float) -> float:
    # Rounded, so that a label says all of it.
    return round(max(-MAX_LORA_SCALE, min(MAX_LORA_SCALE, scale)), 3)


def _label(use: LoraUse) -> str:
    return f"{use.name} {use.scale:g}"


def _opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return image


async def record_sheet(claim: Claim, queue: JobQueue, blobs: BlobStore) -> None:
    """Draw and record the sheet of a mix, unless an earlier attempt did or its images were deleted meanwhile."""
    job, grid = claim.job, ScaleGrid.of(REQUEST.read(claim.job.payload))
    made = await queue.images(job.guild_id, job.id)
    if len(made) != len(grid.images):
        return
    data = await asyncio.to_thread(grid.sheet, [await blobs.get(part.blob) for part in made])
    width, height = Image.open(io.BytesIO(data)).size
    sheet = NewImage(
        index=len(made), blob=await blobs.put(data), width=width, height=height, seed=grid.request.seed,
        parameters="", nsfw=any(part.nsfw for part in made),
    )  # fmt: skip
    await queue.record_image(claim, sheet)
