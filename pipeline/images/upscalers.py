"""The upscalers of an installation, by name: nets that an admin put there, the one that ships, and Lanczos' filter."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import InvalidRequest

LANCZOS: Final = "lanczos"

SHIPPED: Final = Path(__file__).parents[1] / "upscalers" / "waifu2x.safetensors"
"""The weights of the net that is always there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upscalers:
    """Each `.safetensors` file of `folder`, called after its file; SHIPPED and LANCZOS are always there."""

    folder: Path | None = None

    def names(self) -> tuple[str, ...]:
        """What members choose from.

        Returns:
            Those of the folder in alphabetical order, then the one that ships, LANCZOS last; the first is the default.
        """
        return (*self._nets(), LANCZOS)

    def net(self, name: str) -> Path | None:
        """The weights of an upscaler.

        Args:
            name: one of `names`.

        Returns:
            The file; None for LANCZOS.

        Raises:
            InvalidRequest: there is no such upscaler; the sentence lists those that exist.
        """
        if name != LANCZOS and name not in (nets := self._nets()):
            there = ", ".join((*nets, LANCZOS))
            raise InvalidRequest("upscaler", f"There is no upscaler '{name:.40}' here; there is: {there}.")
        return None if name == LANCZOS else self._nets()[name]

    def _nets(self) -> dict[str, Path]:
        files = [] if self.folder is None else sorted(self.folder.glob("*.safetensors"))
        nets = {file.stem: file for file in files}
        return {**nets, SHIPPED.stem: nets.get(SHIPPED.stem, SHIPPED)}
