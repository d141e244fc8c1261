"""A decoded image on its way into a PNG."""

from dataclasses import dataclass
from typing import Final

from PIL import Image

from pipeline.engine.inpaint_canvas import Canvas
from pipeline.errors import UserError
from pipeline.images import metadata
from pipeline.images.metadata import ImageMetadata
from pipeline.transfer import HostCopy

_NO_IMAGE: Final = (
    "The numbers of this picture grew beyond all limits while it was made; "
    "lower its guidance, or the scale of its LoRAs and controls."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedImage:
    """The pixels (height, width, 3) in uint8, whether its latents were `broken`, no numbers, what the pixels are put
    back into, and what decided them.
    """

    pixels: HostCopy
    broken: HostCopy
    canvas: Canvas | None
    metadata: ImageMetadata

    def png(self) -> bytes:
        """As a file; on any thread.

        Returns:
            A PNG with the metadata inside.

        Raises:
            UserError: its numbers are no image.
        """
        if self.broken.get():
            raise UserError(_NO_IMAGE)
        painted = Image.fromarray(self.pixels.get().numpy())
        image = painted if self.canvas is None else self.canvas.put_back(painted)
        return metadata.encode(image, self.metadata)
