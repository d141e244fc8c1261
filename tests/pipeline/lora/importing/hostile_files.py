"""A corpus of files that are not LoRAs, each with a part of the sentence that must refuse it.

`python tests/pipeline/lora/importing/hostile_files.py FOLDER` writes them out.
"""

import bz2
import gzip
import io
import json
import lzma
import pickle
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

F32 = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}


def file_of(header: object, data: bytes = b"") -> bytes:
    """A safetensors file with this header, however wrong."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def corpus() -> Iterator[tuple[str, bytes, str]]:
    """Name, content, words of the refusal."""
    yield from _other_formats()
    yield from _headers()
    yield from _tensors()
    yield from _places()


def _zip(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("lora.safetensors"))
    return buffer.getvalue()


def _other_formats() -> Iterator[tuple[str, bytes, str]]:
    pad = bytes(600)
    for protocol in range(6):
        yield f"pickle-{protocol}", pickle.dumps({"a": [1.0] * 9}, protocol=protocol), "pickle"
    yield "pickle-global", b"cos\nsystem\n(S'true'\ntR.", "pickle"
    yield "torch-zip", _zip("archive/data.pkl", pickle.dumps({})), "pickle"
    yield "zip", _zip("lora.safetensors", file_of({"a": F32}, bytes(16))), "zip archive"
    yield "empty-zip", b"PK\x05\x06" + bytes(18), "zip archive"
    yield "rar", b"Rar!\x1a\x07\x01\x00" + pad, "rar archive"
    yield "7z", b"7z\xbc\xaf\x27\x1c" + pad, "7z archive"
    yield "gzip", gzip.compress(pad), "gzip archive"
    yield "bzip2", bz2.compress(pad), "bzip2 archive"
    yield "xz", lzma.compress(pad), "xz archive"
    yield "zstd", b"\x28\xb5\x2f\xfd" + pad, "zstd archive"
    yield "tar", _tar(), "tar archive"
    yield "lfs-pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "LFS pointer"
    yield "gguf", b"GGUF\x03\x00\x00\x00" + pad, "GGUF"
    yield "ggml", b"lmgg" + pad, "GGML"
    yield "html", b"<!DOCTYPE html><title>Sign in</title>", "web page"
    yield "html-after-spaces", b"\n\n  <html><body>", "web page"
    yield "xml-error", b"<?xml version='1.0'?><Error>AccessDenied</Error>", "web page"
    yield "json-error", b'{"error":"unauthorized"}', "JSON"
    yield "png", b"\x89PNG\r\n\x1a\n" + pad, "picture"
    yield "jpeg", b"\xff\xd8\xff\xe0" + pad, "picture"
    yield "gif", b"GIF89a" + pad, "picture"
    yield "webp", b"RIFF\x10\x00\x00\x00WEBP" + pad, "picture"
    yield "elf", b"\x7fELF\x02" + pad, "program"
    yield "exe", b"MZ\x90\x00" + pad, "program"
    yield "script", b"#!/bin/sh\ntrue\n", "program"
    yield "hdf5", b"\x89HDF\r\n\x1a\n" + pad, "HDF5"
    yield "numpy", b"\x93NUMPY\x01\x00" + pad, "NumPy"
    yield "tflite", b"\x1c\x00\x00\x00TFL3" + pad, "TensorFlow"
    yield "pdf", b"%PDF-1.7\n" + pad, "PDF"
    yield "sqlite", b"SQLite format 3\x00" + pad, "database"
    yield "empty", b"", "empty"
    yield "short", b"abc", "not a safetensors"
    yield "zeros", bytes(4096), "not a safetensors"
    yield "ones", b"\xff" * 4096, "not a safetensors"


def _headers() -> Iterator[tuple[str, bytes, str]]:
    yield "huge-header", (2**39).to_bytes(8, "little") + b"{}", "header has"
    yield "header-over-limit", (10 * 2**20 + 1).to_bytes(8, "little") + b"{}", "header has"
    yield "cut-in-header", (4096).to_bytes(8, "little") + b'{"a":', "cut short"
    yield "not-utf8", file_of(b'{"\xff\xfe": 1}'), "damaged"
    yield "not-json", file_of(b"{a: 1}"), "damaged"
    yield "deep", file_of(b'{"a":' * 100_000 + b"1"), "damaged"
    yield "same-name-twice", file_of(b'{"a":{"dtype":"F32"},"a":{"dtype":"F32"}}'), "damaged"
    yield "not-a-number", file_of(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}'), "damaged"
    yield "long-number", file_of(b'{"a":' + b"9" * 100_000 + b"}"), "damaged"
    yield "leading-space", file_of(b' {"a": 1}'), "not a safetensors"
    yield "list", file_of(b"[1, 2]"), "not a safetensors"
    yield "metadata-numbers", file_of({"__metadata__": {"a": 1}, "a": F32}, bytes(16)), "metadata"
    yield "metadata-list", file_of({"__metadata__": [], "a": F32}, bytes(16)), "metadata"
    yield "metadata-huge", file_of({"__metadata__": {"a": "b" * (9 * 2**20)}, "a": F32}, bytes(16)), "more metadata"
    yield "header-only", file_of({}), "no tensors"
    yield "metadata-only", file_of({"__metadata__": {"format": "pt"}}), "no tensors"


def _tensors() -> Iterator[tuple[str, bytes, str]]:
    many = {f"t{i}": {"dtype": "F16", "shape": [1], "data_offsets": [2 * i, 2 * i + 2]} for i in range(20_001)}
    yield "too-many", file_of(many, bytes(40_002)), "20,001 tensors"
    yield "empty-name", file_of({"": F32}, bytes(16)), "name"
    yield "long-name", file_of({"x" * 513: F32}, bytes(16)), "name"
    for label, character in (("nul", "\0"), ("newline", "\n"), ("escape", "\x1b"), ("rtl", "\u202e")):
        yield f"name-with-{label}", file_of({f"a{character}b": F32}, bytes(16)), "control characters"
    yield "unknown-field", _one({**F32, "run": "me"}), "damaged"
    yield "no-dtype", _one({"shape": [2, 2], "data_offsets": [0, 16]}), "damaged"
    yield "number-for-entry", file_of({"a": 5}), "damaged"
    yield "dtype-number", _one({**F32, "dtype": 5}), "damaged"
    for dtype in ("U8", "I8", "F4", "NF4", "I64", "BOOL", "C64"):
        yield f"dtype-{dtype}", _one({**F32, "dtype": dtype}), f"numbers as {dtype}"
    yield "negative-side", _one({**F32, "shape": [-2, -2]}), "damaged"
    yield "true-side", _one({**F32, "shape": [True, 4]}), "damaged"
    yield "fraction-side", _one({**F32, "shape": [2.0, 2]}), "damaged"
    yield "text-shape", _one({**F32, "shape": "22"}), "damaged"
    yield "zero-side", _one({"dtype": "F32", "shape": [0, 10**12], "data_offsets": [0, 0]}, 0), "shape"
    yield "huge-side", _one({"dtype": "F32", "shape": [65_537], "data_offsets": [0, 262_148]}, 262_148), "shape"
    yield "overflowing-shape", _one({**F32, "shape": [65_536] * 6}), "does not fit"
    yield "seven-dimensions", _one({**F32, "shape": [1] * 7}), "shape"
    yield "wrong-size", _one({**F32, "shape": [2, 3]}), "does not fit"


def _places() -> Iterator[tuple[str, bytes, str]]:
    second = {"dtype": "F32", "shape": [2, 2]}
    yield "three-offsets", _one({**F32, "data_offsets": [0, 8, 16]}), "damaged"
    yield "negative-offset", _one({**F32, "data_offsets": [-16, 0]}), "damaged"
    yield "backwards", _one({**F32, "data_offsets": [16, 0]}), "does not fit"
    yield "truncated", _one(F32, 15), "bytes of data"
    yield "trailing-bytes", _one(F32, 17), "bytes of data"
    yield "hole-at-start", _one({**F32, "data_offsets": [4, 20]}, 20), "gap"
    yield "hole", file_of({"a": F32, "b": {**second, "data_offsets": [20, 36]}}, bytes(36)), "gap"
    yield "overlap", file_of({"a": F32, "b": {**second, "data_offsets": [8, 24]}}, bytes(24)), "share bytes"
    yield "alias", file_of({"a": F32, "b": F32}, bytes(16)), "share bytes"


def _one(entry: dict[str, Any], size: int = 16) -> bytes:
    return file_of({"a": entry}, bytes(size))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, content, _ in corpus():
        (folder / f"{name}.safetensors").write_bytes(content)
