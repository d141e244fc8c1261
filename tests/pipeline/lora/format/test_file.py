"""The canonical file: what its header says, and headers that are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.format.file import LoraFile, encoders_of, word_name
from pipeline.lora.format.part_header import PartKind
from pipeline.lora.format.scale_rule import ScaleRule

PLAIN = {"format": "limner-lora", "version": "1", "family": "sdxl", "scale_rule": "linear"}
PAIR = {"unet.x.0.down": (4, 6), "unet.x.0.up": (8, 4)}


def written(folder: Path, shapes: dict[str, tuple[int, ...]], **metadata: str) -> Path:
    tensors: dict[str, Any] = {name: np.zeros(shape, np.float16) for name, shape in shapes.items()}
    save_file(tensors, folder / "x.safetensors", metadata=PLAIN | metadata)
    return folder / "x.safetensors"


def test_a_header_says_what_is_changed(tmp_path: Path) -> None:
    """Layers with their parts in order, textual inversions by encoder, vectors by length."""
    shapes = PAIR | {
        "unet.x.1.stretch": (8,),
        "unet.y.0.down": (9, 3, 3, 3),
        "unet.y.0.up": (5, 9),
        "unet.n.gain": (7,),
    }
    words = {word_name("text_encoder_2", 0): (2, 16)}

    file = LoraFile.open(written(tmp_path, shapes | words, words='["cat"]', scale_rule="peft"))

    kinds = {name: [part.kind for part in parts] for name, parts in file.layers.items()}
    assert kinds == {"unet.x": [PartKind.LOW_RANK, PartKind.STRETCH], "unet.y": [PartKind.LOW_RANK]}
    assert (file.family, file.rank, file.vectors) == (ModelFamily.SDXL, 9, {"unet.n.gain": 7})
    assert (file.words, file.scale_rule) == (("cat",), ScaleRule.PEFT)
    assert file.word_tensors(0) == {"text_encoder_2": "text_encoder_2.word.0"}


@pytest.mark.parametrize(
    ("shapes", "metadata", "sentence"),
    [
        (PAIR, {"format": "pt"}, "not a LoRA in Limner's form"),
        (PAIR, {"version": "9"}, "not a LoRA in Limner's form"),
        (PAIR, {"family": "flux"}, "damaged"),
        (PAIR, {"scale_rule": "cubic"}, "damaged"),
        (PAIR, {"words": "["}, "damaged"),
        (PAIR, {"words": '["cat"]'}, "words without vectors"),
        ({"text_encoder.word.0": (1, 8)}, {}, "words without vectors"),
        ({"unet.n.bias": (7, 7)}, {}, "damaged"),
        ({}, {}, "changes nothing"),
        ({"unet.x.down": (4, 6), "unet.x.up": (8, 4)}, {}, "no place in it"),
        ({"unet.x.1.down": (4, 6), "unet.x.1.up": (8, 4)}, {}, "not counted"),
        (PAIR | {f"unet.x.{n}.stretch": (8,) for n in range(1, 257)}, {}, "not counted"),
        (PAIR | {"vae.x.0.down": (4, 6)}, {}, "no place in it"),
        (PAIR | {"unet.x.0.scale": (1,)}, {}, "of a type that has no place"),
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
