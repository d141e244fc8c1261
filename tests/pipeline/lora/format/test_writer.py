"""Canonical files as they are written."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pipeline.families.family import ModelFamily
from pipeline.lora.format.file import LoraFile
from pipeline.lora.format.parts import LowRank, Magnitude, Part
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.writer import CanonicalWriter, narrowed

PAIR = LowRank(down=torch.ones(2, 4), up=torch.ones(4, 2))


@pytest.mark.parametrize(
    ("numbers", "dtype"),
    [
        ([1.0, 2**-24], torch.float16),
        ([1.0, 2**-30, 3e38], torch.bfloat16),
        ([1.0, 1 / 3], torch.float32),
    ],
)
def test_numbers_are_stored_in_the_fewest_bits_that_hold_them(numbers: list[float], dtype: torch.dtype) -> None:
    """Nothing but float64's last bits is rounded away."""
    exact = torch.tensor(numbers, dtype=torch.float32)
    exact = exact.bfloat16().float() if dtype is torch.bfloat16 else exact

    assert narrowed(exact.double()).dtype is dtype
    assert torch.equal(narrowed(exact.double()).float(), exact)


def test_a_file_has_what_was_taken(tmp_path: Path) -> None:
    """Parts in their order, with the scale that a set gave them; words; vectors; whole in its place."""
    writer = CanonicalWriter(ModelFamily.SD15, ScaleRule.LYCORIS)
    assert writer.empty
    writer.add("unet.x", Part(change=PAIR))
    writer.add("unet.x", Part(change=PAIR, magnitude=Magnitude(norms=torch.ones(4)), scale=0.7))
    writer.add_word("cat", {"text_encoder": torch.ones(1, 8)})
    writer.add_vector("unet.x.bias", torch.ones(4))

    writer.save(tmp_path / "x.safetensors")

    file = LoraFile.open(tmp_path / "x.safetensors")
    assert [(part.rank, part.normed) for part in file.layers["unet.x"]] == [(2, False), (2, True)]
    assert (file.scale_rule, file.words, file.vectors) == (ScaleRule.LYCORIS, ("cat",), {"unet.x.bias": 4})
    assert load_file(file.path)["unet.x.1.scale"].tolist() == [0.7]
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]
