"""Canonical files on the host, in pages or as they are: whole, or one sentence."""

from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.format.parts import Axis, LowRank, Magnitude, Part, Stretch
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.writer import CanonicalWriter
from pipeline.lora.serving.layers import adapt
from pipeline.lora.serving.pages import LoraPages, load_pages
from tests.pipeline.lora.serving.test_adapter_pool import Network, lora, write

WORD = {f"{network}.word.0": torch.zeros(1, 6) for network in ("text_encoder", "text_encoder_2")}


@pytest.mark.parametrize(
    ("tensors", "metadata", "sentence"),
    [
        (lora("first", 4), {"format": "kohya"}, "not a LoRA in Limner's form"),
        (lora("first", 4), {"version": "2"}, "not a LoRA in Limner's form"),
        (lora("first", 4), {"scale_rule": "square"}, "damaged"),
        ({"unet.first.bias": torch.zeros(6, 1)}, {}, "damaged"),
        ({"unet.first.bias": torch.zeros(7)}, {}, "another model: 1 of the norms and biases"),
        ({"unet.first.gain": torch.zeros(6)}, {}, "another model: 1 of the norms and biases"),
        (lora("first", 4), {"words": '["cat"]'}, "damaged"),
        (lora("first", 4), {"words": "5"}, "damaged"),
        (WORD, {"words": '["cat", "dog"]'}, "damaged"),
        (WORD, {"words": '["cat"]'}, "made for another model: the word 'cat' does not fit"),
        (lora("first", 4), {"family": "flux"}, "damaged"),
        (lora("third", 4), {}, "made for another model: 1 of its 1 layers do not fit"),
        (lora("first", 4, out=7), {}, "made for another model"),
        (lora("conv", 4, out=5, width=(3, 1, 1)), {}, "made for another model"),
        ({"unet.first.0.down": torch.zeros(4, 6)}, {}, "damaged"),
        ({"unet.first.0.difference": torch.zeros(6, 5)}, {}, "made for another model"),
        ({"unet.first.0.turn_in": torch.zeros(2, 2, 2)}, {}, "made for another model"),
        ({"unet.first.0.down": torch.zeros(2, 6), "unet.first.0.up": torch.zeros(6, 3)}, {}, "damaged"),
    ],
)
def test_a_wrong_file_is_one_sentence(
    tmp_path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str], sentence: str
) -> None:
    """Never applied in part."""
    path = write(tmp_path / "x.safetensors", tensors, **metadata)

    with pytest.raises(UserError, match=sentence):
        load_pages(path, {"unet": adapt(Network())}, torch.float32, pin=False)


def loaded(folder: Path, network: Network, *parts: Part, layer: str = "first") -> LoraPages:
    writer = CanonicalWriter(ModelFamily.SDXL, ScaleRule.PEFT)
    for part in parts:
        writer.add(f"unet.{layer}", part)
    writer.save(folder / "x.safetensors")
    return load_pages(folder / "x.safetensors", {"unet": adapt(network)}, torch.float32, pin=False)


def halves(rank: int) -> LowRank:
    return LowRank(down=torch.randn(rank, 6), up=torch.randn(6, rank))


@pytest.mark.parametrize(
    ("parts", "pages"),
    [
        ([Part(change=halves(64))], 4),
        ([Part(change=halves(40), scale=0.5), Part(change=halves(20))], 4),
        ([Part(change=halves(65))], 0),
        ([Part(change=halves(40)), Part(change=halves(40))], 0),
        ([Part(change=halves(4), magnitude=Magnitude(norms=torch.ones(6)))], 0),
        ([Part(change=halves(4)), Part(change=Stretch(gain=torch.ones(6), axis=Axis.IN))], 0),
    ],
)
def test_pages_hold_plain_low_rank_alone(tmp_path: Path, parts: list[Part], pages: int) -> None:
    """Of a rank up to 64; all else stays as it is, in its own bytes."""
    made = loaded(tmp_path, Network(), *parts)

    assert sum(own.count for own in made.banks.values()) == pages
    assert (made.parts is None) == bool(pages)
    assert made.rule is ScaleRule.PEFT
    if made.parts is not None:
        (own,) = made.parts.layers()["unet"].values()
        assert [each.part.scale for each in own] == [part.scale for part in parts]
        assert made.size == made.parts.size


def test_a_gain_of_outputs_and_bias_becomes_a_change_of_the_served_bias(tmp_path: Path) -> None:
    """Which is the base's, and not in the file."""
    network = Network()
    gain = torch.randn(6)

    made = loaded(tmp_path, network, Part(change=Stretch(gain=gain, axis=Axis.BOTH), scale=0.5))

    vectors = made.vectors["unet"]
    assert vectors.used == {"first.bias"}
    torch.testing.assert_close(vectors.values[vectors.values != 0], 0.5 * gain * network.first.bias.detach())
