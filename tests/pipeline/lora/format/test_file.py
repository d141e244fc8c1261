"""The canonical file: what its header says, and headers that are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.format.file import LoraFile, LoraLayer, encoders_of, word_name

PLAIN = {"format": "limner-lora", "version": "1", "family": "sdxl"}
PAIR = {"unet.x.down": (4, 6), "unet.x.up": (8, 4)}


def written(folder: Path, shapes: dict[str, tuple[int, ...]], **metadata: str) -> Path:
    tensors: dict[str, Any] = {name: np.zeros(shape, np.float16) for name, shape in shapes.items()}
    save_file(tensors, folder / "x.safetensors", metadata=PLAIN | metadata)
    return folder / "x.safetensors"


def test_a_header_says_what_is_changed(tmp_path: Path) -> None:
    """Layers with their ranks, textual inversions by encoder, vectors by length."""
    shapes = PAIR | {"unet.y.down": (9, 3, 3, 3), "unet.y.up": (5, 9), "unet.n.gain": (7,)}
    words = {word_name("text_encoder_2", 0): (2, 16)}

    file = LoraFile.open(written(tmp_path, shapes | words, version="3", words='["cat"]'))

    assert file.layers == {
        "unet.x": LoraLayer(down=(4, 6), up=(8, 4)),
        "unet.y": LoraLayer(down=(9, 3, 3, 3), up=(5, 9)),
    }
    assert (file.family, file.rank, file.vectors) == (ModelFamily.SDXL, 9, {"unet.n.gain": 7})
    assert file.words == ("cat",)
    assert file.word_tensors(0) == {"text_encoder_2": "text_encoder_2.word.0"}


@pytest.mark.parametrize(
    ("shapes", "metadata", "sentence"),
    [
        (PAIR, {"format": "pt"}, "not a LoRA in Limner's form"),
        (PAIR, {"version": "9"}, "not a LoRA in Limner's form"),
        (PAIR, {"family": "flux"}, "damaged"),
        (PAIR, {"words": "["}, "damaged"),
        (PAIR, {"version": "2", "words": '["cat"]'}, "words without vectors"),
        ({"text_encoder.word.0": (1, 8)}, {}, "words without vectors"),
        (PAIR | {"unet.n.bias": (7,)}, {}, "norms or biases in a file of another version"),
        ({"unet.x.down": (4, 6), "unet.x.up": (8, 5)}, {}, "halves do not fit"),
        ({"unet.x.down": (257, 6), "unet.x.up": (8, 257)}, {}, "halves do not fit"),
        (PAIR | {"vae.x.down": (4, 6)}, {}, "no place in it"),
    ],
)
def test_a_wrong_header_is_refused(
    tmp_path: Path, shapes: dict[str, tuple[int, ...]], metadata: dict[str, str], sentence: str
) -> None:
    """With what to do."""
    with pytest.raises(UserError, match=f"{sentence}.*add it to the library again"):
        LoraFile.open(written(tmp_path, shapes, **metadata))


def test_each_family_has_its_text_encoders() -> None:
    """Those of SD 1.5 are the first of SDXL."""
    assert encoders_of(ModelFamily.SD15) == ("text_encoder",)
    assert encoders_of(ModelFamily.SDXL) == ("text_encoder", "text_encoder_2")
