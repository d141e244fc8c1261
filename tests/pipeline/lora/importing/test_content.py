"""What a file is by its first bytes."""

import io
import pickle
import tarfile
import zipfile

import pytest
from PIL import Image

from pipeline.errors import UserError
from pipeline.lora.importing.content import refuse_other_content


def zipped(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, b"")
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x"))
    return file.getvalue()


def png() -> bytes:
    file = io.BytesIO()
    Image.new("L", (1, 1)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"", "empty"),
        (zipped("archive/data.pkl"), "pickle, which can run code"),
        (zipped("lora.safetensors"), "zip archive"),
        (tarred(), "tar archive"),
        (pickle.dumps({"a": 1}), "pickle, which can run code"),
        (png(), "picture"),
        (b"\n<!DOCTYPE html><html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS pointer"),
        (b"GGUF\x03\0\0\0", "GGUF"),
        (b'{"a": 1}', "JSON"),
        (b"\0" * 100, "not a safetensors file"),
    ],
)
def test_the_sentence_says_what_it_is(start: bytes, words: str) -> None:
    """As the programs that write such files write them."""
    with pytest.raises(UserError, match=words):
        refuse_other_content(start, len(start))


@pytest.mark.parametrize("length", [2, 123, 640, 0x5A4D])
def test_a_header_decides_first(length: int) -> None:
    """Whatever else its length begins like: 640 bytes as a pickle, 0x5A4D as a program."""
    refuse_other_content(length.to_bytes(8, "little") + b"{", 1000)
