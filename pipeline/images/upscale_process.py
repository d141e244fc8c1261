"""An image enlarged in a process of its own, so that torch is not imported in the parent."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from pipeline.processes.child import ask, running

_PROGRAM: Final = "pipeline.images.upscale_program"
_BROKEN: Final = "This picture could not be enlarged here; try a smaller factor, or lanczos."
_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Enlargement:
    """An order to write the image `source` to `target`, as a PNG of `width` by `height` pixels with `texts` inside.

    `mask` is white where the image is transparent, None where it is opaque. `net` is the file of the upscaler's
    weights, None for Lanczos' filter; `device` is where the net runs.
    """

    source: Path
    target: Path
    mask: Path | None = None
    width: int
    height: int
    net: Path | None
    device: str
    texts: Mapping[str, str] = field(default_factory=dict)


async def enlarge_apart(order: Enlargement) -> None:
    """Enlarge an image in a child process, within fifteen minutes.

    Args:
        order: what to do; its file `target` is there afterwards.

    Raises:
        UserError: one sentence why it cannot be done.
    """
    async with running(_PROGRAM) as child:
        await ask(child, asdict(order), seconds=_SECONDS, broken=_BROKEN)
