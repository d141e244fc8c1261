"""The upscalers of an installation, by name: nets of ESRGAN's kind that an admin has put there, and Lanczos' filter."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import InvalidRequest

LANCZOS: Final = "lanczos"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upscalers:
    """Each `.safetensors` of `folder`, called as its file is, and LANCZOS, which is always there."""

    folder: Path | None = None

    def names(self) -> tuple[str, ...]:
        """What members choose from; the first is the usual one."""
        return (*self._nets(), LANCZOS)

    def net(self, name: str) -> Path | None:
        """The weights of the upscaler `name`, none for LANCZOS; raises InvalidRequest with the names that exist."""
        if name != LANCZOS and name not in (nets := self._nets()):
            there = ", ".join((*nets, LANCZOS))
            raise InvalidRequest("upscaler", f"There is no upscaler '{name:.40}' here; there is: {there}.")
        return None if name == LANCZOS else self._nets()[name]

    def _nets(self) -> dict[str, Path]:
        files = [] if self.folder is None else sorted(self.folder.glob("*.safetensors"))
        return {file.stem: file for file in files}
