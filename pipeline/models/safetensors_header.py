"""A safetensors file without torch: its header, whether it is whole, a fingerprint of its content."""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import UserError

MAX_HEADER_BYTES: Final = 10 * 1024 * 1024
_SAMPLES: Final = 64
_SAMPLE_BYTES: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorHeader:
    """One tensor of a file: `dtype` as safetensors spells it (`F16`), its shape, its place in the data in bytes."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """The header of a safetensors file: its tensors by name and its free text."""

    path: Path
    tensors: dict[str, TensorHeader]
    metadata: dict[str, str]
    data_start: int

    @classmethod
    def open(cls, path: Path) -> "WeightsFile":
        """Read and check a file's header (https://github.com/huggingface/safetensors).

        Args:
            path: a safetensors file.

        Returns:
            The header; no tensor is read.

        Raises:
            UserError: the file is not whole, or not of this format.
        """
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
                    raise UserError(f"{path} is not a safetensors file, or it is cut short; download it again.")
                header = json.loads(file.read(length))
            metadata = header.pop("__metadata__", {})
            tensors = {name: _tensor_header(entry) for name, entry in header.items()}
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(f"{path} has a damaged header; download it again.") from error
        data_start = 8 + length
        needed = data_start + max((tensor.end for tensor in tensors.values()), default=0)
        if needed != size:
            raise UserError(f"{path} has {size:,} bytes where {needed:,} belong; download it again.")
        return cls(path=path, tensors=tensors, metadata=metadata, data_start=data_start)

    @property
    def numel(self) -> int:
        """The number of elements of all tensors together."""
        return sum(tensor.numel for tensor in self.tensors.values())


def fingerprint(paths: list[Path]) -> str:
    """A short hash that tells models apart.

    SHA-256 over headers, sizes and evenly spaced samples of the data: a whole file is not read, so that a model of many
    gigabytes is known at once.

    Args:
        paths: the model's files; their order counts.

    Returns:
        Ten hexadecimal digits.
    """
    digest = hashlib.sha256()
    for path in paths:
        size = path.stat().st_size
        digest.update(size.to_bytes(8, "little"))
        with path.open("rb") as file:
            header = file.read(8 + min(int.from_bytes(file.read(8), "little"), MAX_HEADER_BYTES))
            digest.update(header)
            for index in range(_SAMPLES):
                file.seek(index * size // _SAMPLES)
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()[:10]


def _tensor_header(entry: dict[str, object]) -> TensorHeader:
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not (isinstance(shape, list) and isinstance(offsets, list) and isinstance(entry["dtype"], str)):
        raise TypeError("a tensor's entry has the wrong types")
    start, end = (int(offset) for offset in offsets)
    if not 0 <= start <= end:
        raise ValueError("a tensor ends before it starts")
    return TensorHeader(dtype=entry["dtype"], shape=tuple(int(side) for side in shape), start=start, end=end)
