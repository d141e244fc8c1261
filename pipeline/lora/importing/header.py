"""An untrusted safetensors header, held to limits before any tensor is touched."""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import UserError
from pipeline.lora.importing.content import PROBE_BYTES, refuse_other_content
from pipeline.models.safetensors_header import MAX_HEADER_BYTES, TensorHeader, WeightsFile

MAX_TENSORS: Final = 20_000
MAX_NAME: Final = 512
MAX_SIDE: Final = 65_536
MAX_DIMENSIONS: Final = 6
MAX_METADATA_BYTES: Final = 8 * 1024 * 1024
_BYTES: Final = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}
# LyCORIS saves some alphas and switches as integers.
_NUMBER_BYTES: Final = _BYTES | {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
# A resized LoRA keeps the halves of a layer that has no rank left.
_HALF: Final = re.compile(r".+\.lora[._](?:down|up|A|B)(?:\.[\w-]+)?\.weight", re.ASCII)
# A checkpoint's positions and a patch's sizes are whole numbers; their names say what the file is.
_WHOLE_NUMBERS: Final = re.compile(
    r".+\.(?:position_ids|relative_position_index|bias_indices|reshape_weight)", re.ASCII
)
_DTYPE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,15}", re.ASCII)
_FIELDS: Final = {"dtype", "shape", "data_offsets"}
_DAMAGED: Final = "This file's header is damaged; download it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLimits:
    """What an import may cost: `bytes` is the size of the largest file."""

    bytes: int = 4 * 1024**3

    def check(self, size: int) -> None:
        """Check the size of a file.

        Args:
            size: in bytes.

        Raises:
            UserError: the file is too large.
        """
        if size > self.bytes:
            raise UserError(f"This file has {size:,} bytes; LoRAs may have up to {self.bytes:,} here.")


def read_header(path: Path, limits: FileLimits) -> WeightsFile:
    """Read the header of a safetensors file (https://github.com/huggingface/safetensors), with every limit checked.

    Names, shapes, types and offsets are checked; the values are not read. Some files that safetensors' own reader
    accepts are refused here: empty tensors, control characters in names, a million tensors.

    Args:
        path: of an untrusted file.
        limits: of its size.

    Returns:
        What it holds.

    Raises:
        UserError: one sentence why it is refused.
    """
    size = path.stat().st_size
    limits.check(size)
    with path.open("rb") as file:
        start = file.read(PROBE_BYTES)
        refuse_other_content(start, size)
        length = int.from_bytes(start[:8], "little")
        if length > MAX_HEADER_BYTES:
            raise UserError(f"This file's header has {length:,} bytes; up to {MAX_HEADER_BYTES:,} are read.")
        if length > size - 8:
            raise UserError("This file is cut short inside its header; download it again.")
        file.seek(8)
        header = _parse(file.read(length))
    metadata = _metadata(header.pop("__metadata__", {}))
    if len(header) > MAX_TENSORS:
        raise UserError(f"This file holds {len(header):,} tensors; a LoRA may hold up to {MAX_TENSORS:,}.")
    tensors = {_name(name): _tensor(entry, name) for name, entry in header.items()}
    _check_places(tensors, size - 8 - length)
    return WeightsFile(path=path, tensors=tensors, metadata=metadata, data_start=8 + length)


def _parse(text: bytes) -> dict[str, object]:
    try:
        header = json.loads(text.decode(), object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise UserError(_DAMAGED) from error
    if not isinstance(header, dict):
        raise UserError(_DAMAGED)
    return header


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("one name stands for two things")
    return made


def _no_constant(word: str) -> object:
    raise ValueError(f"{word} is no JSON")


def _metadata(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise UserError("This file's metadata is not plain text; save the LoRA again without it.")
    if sum(len(key) + len(text) for key, text in value.items()) > MAX_METADATA_BYTES:
        raise UserError("This file carries more metadata than a LoRA may; save it again without it.")
    return value


def _name(name: str) -> str:
    if not 1 <= len(name) <= MAX_NAME:
        raise UserError(f"A tensor's name in this file has {len(name):,} characters; 1 to {MAX_NAME} are allowed.")
    if not name.isprintable():
        raise UserError("A tensor's name in this file holds control characters; that is no LoRA of a known trainer.")
    return name


def _smallest(name: str) -> int:
    return 0 if _HALF.fullmatch(name) else 1


def _tensor(entry: object, name: str) -> TensorHeader:
    if not isinstance(entry, dict) or entry.keys() != _FIELDS:
        raise UserError(_DAMAGED)
    shape, (start, end) = _integers(entry["shape"]), _pair(_integers(entry["data_offsets"]))
    # Before any product of its sides is made, which may have millions of digits.
    if len(shape) > MAX_DIMENSIONS or any(not _smallest(name) <= side <= MAX_SIDE for side in shape):
        raise UserError(f"A tensor in this file has a shape outside 1 to {MAX_SIDE:,}; that is no LoRA.")
    dtype = entry["dtype"]
    if not isinstance(dtype, str) or not _DTYPE.fullmatch(dtype):
        raise UserError(_DAMAGED)
    sizes = _NUMBER_BYTES if math.prod(shape) == 1 or _WHOLE_NUMBERS.fullmatch(name) else _BYTES
    if dtype not in sizes:
        raise UserError(
            f"This file stores numbers as {dtype}, as quantised files do; add an fp16, bf16 or fp32 version."
        )
    if end - start != math.prod(shape) * sizes[dtype]:
        raise UserError("A tensor's size in this file does not fit its shape; download it again.")
    return TensorHeader(dtype=dtype, shape=shape, start=start, end=end)


def _integers(value: object) -> tuple[int, ...]:
    # JSON's true is an int to Python.
    if not isinstance(value, list) or any(type(number) is not int or number < 0 for number in value):
        raise UserError(_DAMAGED)
    return tuple(value)


def _pair(numbers: tuple[int, ...]) -> tuple[int, int]:
    if len(numbers) != 2:
        raise UserError(_DAMAGED)
    return numbers[0], numbers[1]


def _check_places(tensors: dict[str, TensorHeader], size: int) -> None:
    """Raise UserError unless the tensors cover the data's `size` bytes once each."""
    if not tensors:
        raise UserError("This file holds no tensors, only a header; there is nothing to add.")
    end = 0
    for tensor in sorted(tensors.values(), key=lambda tensor: (tensor.start, tensor.end)):
        if tensor.start != end:
            wrong = "share bytes" if tensor.start < end else "leave a gap between them"
            raise UserError(f"Tensors in this file {wrong}; no trainer writes that.")
        end = tensor.end
    if end != size:
        raise UserError(f"This file has {size:,} bytes of data where {end:,} belong; download it again.")
