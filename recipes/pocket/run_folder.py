"""The folder of a run's results, outside the source tree; each file is replaced in one step."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """The folder of one run: icons, sprites, checkpoints, finished parts, sheets."""

    root: Path

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "RunFolder":
        """The folder that `POCKET_RUN` names."""
        return cls(root=Path(environ.get("POCKET_RUN", "~/.cache/limner-pocket")).expanduser())

    @property
    def icons(self) -> Path:
        """The icon sets' npm packages."""
        return self.root / "icons"

    @property
    def tokenizer(self) -> Path:
        """The vocabulary that the text encoders were trained with."""
        return self.root / "tokenizer"

    @property
    def sprites(self) -> Path:
        """Every icon, rendered."""
        return self.root / "sprites.pt"

    @property
    def drawings(self) -> Path:
        """Every icon, rendered larger, as one atlas."""
        return self.root / "drawings.webp"

    @property
    def latents(self) -> Path:
        """Every training image, encoded."""
        return self.root / "latents.pt"

    @property
    def start(self) -> Path:
        """The UNet that an earlier run shipped, to train further."""
        return self.root / "start.pt"

    def checkpoint(self, stage: str) -> Path:
        """The stage's state, from which it continues."""
        return self.root / f"{stage}.checkpoint.pt"

    def finished(self, stage: str) -> Path:
        """The stage's result, there once the stage is done."""
        return self.root / f"{stage}.pt"

    def sheet(self, name: str) -> Path:
        """A sheet of samples."""
        return self.root / "sheets" / f"{name}.png"


def write(value: object, path: Path) -> None:
    """Saves a value so that the file is, at any moment, wholly the old one or wholly the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(value, partial)
    partial.replace(path)


def read(path: Path) -> Any:
    """What `write` saved."""
    return torch.load(path, map_location="cpu", weights_only=True)
