"""Canonical files as pages: whole, or one sentence."""

from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from pipeline.lora.serving.layers import adapt
from pipeline.lora.serving.pages import load_pages
from tests.pipeline.lora.serving.test_adapter_pool import Network, lora, write

WORD = {f"{network}.word.0": torch.zeros(1, 6) for network in ("text_encoder", "text_encoder_2")}


@pytest.mark.parametrize(
    ("tensors", "metadata", "sentence"),
    [
        (lora("first", 4), {"format": "kohya"}, "not a LoRA in Limner's form"),
        (lora("first", 4), {"version": "4"}, "not a LoRA in Limner's form"),
        (lora("first", 4), {"version": "3"}, "damaged"),
        ({"unet.first.bias": torch.zeros(6)}, {}, "damaged"),
        ({"unet.first.bias": torch.zeros(6, 1)}, {"version": "3"}, "damaged"),
        ({"unet.first.bias": torch.zeros(7)}, {"version": "3"}, "another model: 1 of the norms and biases"),
        ({"unet.first.gain": torch.zeros(6)}, {"version": "3"}, "another model: 1 of the norms and biases"),
        (lora("first", 4), {"version": "2"}, "damaged"),
        (lora("first", 4), {"version": "2", "words": '["cat"]'}, "damaged"),
        (lora("first", 4), {"version": "2", "words": "5"}, "damaged"),
        (WORD, {"words": '["cat"]'}, "damaged"),
        (WORD, {"version": "2", "words": '["cat", "dog"]'}, "damaged"),
        (WORD, {"version": "2", "words": '["cat"]'}, "made for another model: the word 'cat' does not fit"),
        (lora("first", 4), {"family": "flux"}, "damaged"),
        (lora("third", 4), {}, "made for another model: 1 of its 1 layers do not fit"),
        (lora("first", 4, out=7), {}, "made for another model"),
        (lora("conv", 4, out=5, width=(3, 1, 1)), {}, "made for another model"),
        ({"unet.first.down": torch.zeros(4, 6)}, {}, "damaged"),
        ({"unet.first.dense": torch.zeros(6, 6)}, {}, "damaged"),
        (lora("first", 257), {}, "damaged"),
        ({"unet.first.down": torch.zeros(2, 6), "unet.first.up": torch.zeros(6, 3)}, {}, "damaged"),
    ],
)
def test_a_wrong_file_is_one_sentence(
    tmp_path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str], sentence: str
) -> None:
    """Never applied in part."""
    path = write(tmp_path / "x.safetensors", tensors, **metadata)

    with pytest.raises(UserError, match=sentence):
        load_pages(path, {"unet": adapt(Network())}, torch.float32, pin=False)
