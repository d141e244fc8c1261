"""What a worker does for /upscale where nothing is drawn again."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from handlers.jobs.payloads import Codec
from handlers.jobs.preparation import Progress, ResultImage
from pipeline.images.metadata import KEYWORD as METADATA
from pipeline.images.metadata import PARAMETERS
from pipeline.images.upscale_process import Enlargement
from pipeline.images.upscalers import Upscalers
from storage.blobs import BlobStore
from storage.queue.jobs import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class EnlargeOrder:
    """The image whose blob is `image`, to be `factor` times as large: `width` by `height` pixels, by `upscaler`.

    `mask` is the key of what is white where it is transparent. `parameters` and `metadata` are the texts that its file
    carries under the keywords of `pipeline.images.metadata`, empty for none.
    """

    image: str
    factor: int
    width: int
    height: int
    upscaler: str
    mask: str | None = None
    parameters: str = ""
    metadata: str = ""

    @property
    def title(self) -> str:
        """What is made, in words."""
        return f"A picture {self.factor} times as large, {self.size}"

    @property
    def size(self) -> str:
        """How large it becomes, in words."""
        return f"{self.width}×{self.height}"


ENLARGEMENT: Final = Codec(EnlargeOrder)


_KEYWORD: Final = "postprocessing"
"""Where AUTOMATIC1111 writes what was done to an image that it did not draw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enlarging:
    """The preparation of JobKind.ENLARGE; nets run on `device`."""

    blobs: BlobStore
    upscalers: Upscalers
    enlarge: Callable[[Enlargement], Awaitable[None]]
    device: str = "auto"

    async def __call__(self, job: Job, progress: Progress) -> ResultImage:  # noqa: ARG002  how far a net is, it does not say
        """The image, and what it cost; raises UserError where it cannot be enlarged."""
        order = ENLARGEMENT.read(job.payload)
        began = time.monotonic()
        with TemporaryDirectory() as folder:
            words = f"Postprocess upscale by: {order.factor}, Postprocess upscaler: {order.upscaler}"
            kept = {PARAMETERS: order.parameters, METADATA: order.metadata}
            texts = {keyword: text for keyword, text in kept.items() if text} | {_KEYWORD: words}
            png = await self._enlarged(order, texts, Path(folder))
        return ResultImage(png=png, device_seconds=time.monotonic() - began, note=words)

    async def _enlarged(self, order: EnlargeOrder, texts: dict[str, str], folder: Path) -> bytes:
        source, target = await self.blobs.file(order.image), folder / "target"
        mask = None if order.mask is None else await self.blobs.file(order.mask)
        net = await asyncio.to_thread(self.upscalers.net, order.upscaler)
        await self.enlarge(
            Enlargement(
                source=source,
                target=target,
                mask=mask,
                width=order.width,
                height=order.height,
                net=net,
                device=self.device,
                texts=texts,
            )
        )
        return await asyncio.to_thread(target.read_bytes)
