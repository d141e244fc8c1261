"""A file that is not whole is noticed before it is used."""

import struct
from pathlib import Path

import pytest

from pipeline.errors import UserError
from tests.pipeline.models.loading import load


@pytest.mark.parametrize("keep", [0, 4, 5000, -1])
def test_weights_cut_short_are_noticed(copy: Path, keep: int) -> None:
    """At any byte."""
    path = copy / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(UserError, match="download it again"):
        load(copy)


@pytest.mark.parametrize(
    "header",
    [b"{", b"[]", b'{"a": 1}', b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [8, 4]}}', b"\xff\xff"],
)
def test_a_damaged_header_is_noticed(copy: Path, header: bytes) -> None:
    """Whatever stands in it."""
    path = copy / "vae" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)

    with pytest.raises(UserError, match="download it again"):
        load(copy)
