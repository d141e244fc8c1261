"""A decoded image on its way into a PNG."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from PIL import Image

from pipeline.engine.inpaint_canvas import Canvas
from pipeline.engine.numbers_check import NumbersCheck
from pipeline.images import metadata
from pipeline.images.metadata import ImageMetadata
from pipeline.requests.control import EMPTY_MAP
from pipeline.transfer import HostCopy


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedImage:
    """The pixels (height, width, 3) in uint8, the check of its numbers, what the pixels are put back into, what decided
    them, and the kinds of control that found nothing to keep; `file_hash` gives the hash of the model's file, if it is
    one, and may take its time.
    """

    pixels: HostCopy
    numbers: NumbersCheck
    canvas: Canvas | None
    metadata: ImageMetadata
    file_hash: Callable[[], str | None]
    empty_maps: tuple[str, ...] = ()

    def png(self) -> bytes:
        """As a file; on any thread.

        Returns:
            A PNG with the metadata inside.

        Raises:
            UserError: its numbers are no image.
        """
        self.numbers.confirm()
        painted = Image.fromarray(self.pixels.get().numpy())
        image = painted if self.canvas is None else self.canvas.put_back(painted)
        known = self.file_hash()
        info = self.metadata if known is None else replace(self.metadata, model_hash=known)
        notes = {EMPTY_MAP: ", ".join(self.empty_maps)} if self.empty_maps else None
        return metadata.encode(image, info, notes)
