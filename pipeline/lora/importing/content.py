"""What a file is by its first bytes, whatever its name says."""

import re
from typing import Final

from pipeline.errors import UserError

PROBE_BYTES: Final = 4096
_PICKLE: Final = "This is a pickle, which can run code when opened; convert it to .safetensors and add that."
_ARCHIVE: Final = "This is {}, not a LoRA; unpack it and add the .safetensors file inside."
_QUANTISED: Final = "This is a {} file; Limner reads unquantised .safetensors files only."
_IMAGE: Final = "This is a picture, not a LoRA; add a .safetensors file."
_WEB_PAGE: Final = "This is a web page saved as a file; the download needs a login or a direct link."
_PROGRAM: Final = "This is a program, not a LoRA; add a .safetensors file."
_OTHER: Final = "This is {}, not a LoRA; add a .safetensors file."

# Order matters where one pattern is part of another: torch's own zip before any zip.
_SIGNATURES: Final = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), sentence)
    for pattern, sentence in (
        (rb"PK\x03\x04.*?(data\.pkl|/version|/byteorder)", _PICKLE),
        (rb"PK(\x03\x04|\x05\x06|\x07\x08)", _ARCHIVE.format("a zip archive")),
        (rb"Rar!\x1a\x07", _ARCHIVE.format("a rar archive")),
        (rb"7z\xbc\xaf\x27\x1c", _ARCHIVE.format("a 7z archive")),
        (rb"\x1f\x8b", _ARCHIVE.format("a gzip archive")),
        (rb"BZh[1-9]", _ARCHIVE.format("a bzip2 archive")),
        (rb"\xfd7zXZ\x00", _ARCHIVE.format("an xz archive")),
        (rb"\x28\xb5\x2f\xfd", _ARCHIVE.format("a zstd archive")),
        (rb".{257}ustar", _ARCHIVE.format("a tar archive")),
        (
            rb"version https://git-lfs",
            "This is a Git LFS pointer, not the file that it points to; download the file itself.",
        ),
        (rb"GGUF", _QUANTISED.format("GGUF")),
        (rb"(lmgg|tjgg|fmgg|algg)", _QUANTISED.format("GGML")),
        (rb"(\xef\xbb\xbf)?\s*<(!doctype|html|head|body|\?xml|!--|script)", _WEB_PAGE),
        (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP|BM.{4}\x00{4}", _IMAGE),
        (rb"\x7fELF|MZ.{62}|\xcf\xfa\xed\xfe|\xca\xfe\xba\xbe|#!/", _PROGRAM),
        (rb"\x89HDF\r\n", _OTHER.format("an HDF5 file")),
        (rb"\x93NUMPY", _OTHER.format("a NumPy file")),
        (rb"....TFL3", _OTHER.format("a TensorFlow Lite model")),
        (rb"%PDF", _OTHER.format("a PDF")),
        (rb"SQLite format 3", _OTHER.format("a database")),
        (rb"\s*[{\[]", _OTHER.format("a JSON text")),
        (rb"\x80[\x00-\x05]", _PICKLE),
        (rb"(\(dp\d|\(lp\d|[}\]]q|c(collections|builtins|__builtin__|torch|numpy|os|posix)[\w.]*\n)", _PICKLE),
    )
)


def refuse_other_content(start: bytes, size: int) -> None:
    """Check by its first bytes that a file may be safetensors.

    Args:
        start: its first PROBE_BYTES bytes, or all of a shorter file.
        size: of the file in bytes.

    Raises:
        UserError: it cannot be; the sentence says what it is instead.
    """
    if size == 0:
        raise UserError("This file is empty; download it again.")
    # A header of 640 bytes begins as a pickle does: the brace decides first.
    if start[8:9] == b"{" and start[5:8] == bytes(3):
        return
    for signature, sentence in _SIGNATURES:
        if signature.match(start):
            raise UserError(sentence)
    raise UserError("This is not a safetensors file; add a .safetensors file.")
