"""The images that a request is made from, as files: what is large goes through no process that only passes it on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError


@dataclass(frozen=True, slots=True)
class ImageFiles(Mapping[str, bytes]):
    """Images by their keys, each read when it is asked for.

    `paths` are on a disk that every process of this machine reads.
    """

    paths: Mapping[str, Path]

    def __getitem__(self, key: str) -> bytes:
        """Read an image.

        Args:
            key: of the image.

        Returns:
            Its bytes.

        Raises:
            UserError: its file is gone.
        """
        try:
            return self.paths[key].read_bytes()
        except OSError as error:
            raise UserError("A picture that this is made from is gone; send it again.") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)
