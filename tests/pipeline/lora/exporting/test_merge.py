"""A set of LoRAs as one: the sum of their changes, and nothing else."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.families.lora_blocks import block_of
from pipeline.lora.exporting.merge import merge
from pipeline.lora.exporting.merge_process import MergeInput, merge_apart
from pipeline.lora.format.file import LoraFile
from pipeline.lora.format.parts import LowRank, Magnitude, Part
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.writer import CanonicalWriter
from tests.pipeline.lora.importing.measuring import stored_changes

LINEAR = "unet.mid_block.attentions.0.proj_in"
CONV = "unet.conv_in"
TEXT = "text_encoder.encoder.layers.0.self_attn.q_proj"


def lora(path: Path, seed: int, *names: str, rule: ScaleRule = ScaleRule.LINEAR, dora: bool = False) -> Path:
    """A canonical LoRA for these layers, in half precision; a DoRA or a rotation at the last of them if `dora`."""
    generator = torch.Generator().manual_seed(seed)
    writer = CanonicalWriter(ModelFamily.SDXL, rule)
    for name in names:
        width = (4, 3, 3) if name == CONV else (6,)
        down = torch.randn(3, *width, generator=generator).half()
        halves = LowRank(down=down, up=torch.randn(5, 3, generator=generator).half())
        magnitude = Magnitude(norms=torch.rand(5, generator=generator) + 1) if dora and name == names[-1] else None
        writer.add(name, Part(change=halves, magnitude=magnitude))
    writer.save(path)
    return path


def changes(path: Path, scale: float = 1.0) -> dict[str, Tensor]:
    """What a canonical file makes of random weights, by layer."""
    file = LoraFile.open(path)
    shapes = {name: (5, 4, 3, 3) if name == CONV else (5, 6) for name in file.layers}
    bases = {
        name: torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(9))
        for name, shape in shapes.items()
    }
    return stored_changes(path, bases, file.scale_rule, scale)


async def test_a_set_is_the_sum_of_its_members_at_their_scales(tmp_path: Path) -> None:
    """Linear, convolution and text encoder, each with its own scale; a layer that one alone changes as well.

    In a process of its own, and the members stay as they are.
    """
    one = lora(tmp_path / "a.safetensors", 1, LINEAR, CONV, TEXT)
    two = lora(tmp_path / "b.safetensors", 2, LINEAR, TEXT)
    members = (
        MergeInput(path=one, scale=0.8, text_encoder_scale=0.0),
        MergeInput(path=two, scale=-0.5, text_encoder_scale=1.5),
    )

    before = one.read_bytes(), two.read_bytes()

    made = await merge_apart(members, tmp_path / "set.safetensors")

    assert (one.read_bytes(), two.read_bytes()) == before
    assert made.layers == 3
    assert made.size == (tmp_path / "set.safetensors").stat().st_size
    found, first, second = changes(tmp_path / "set.safetensors"), changes(one), changes(two)
    expected = {LINEAR: 0.8 * first[LINEAR] - 0.5 * second[LINEAR], CONV: 0.8 * first[CONV], TEXT: 1.5 * second[TEXT]}
    assert found.keys() == expected.keys()
    for name, change in expected.items():
        assert (found[name] - change).norm() / change.norm() < 1e-6


async def test_a_set_keeps_the_scales_of_blocks(tmp_path: Path) -> None:
    """In a process of its own; a layer of a block without a scale of its own has the UNet's."""
    one = lora(tmp_path / "a.safetensors", 1, LINEAR, CONV, TEXT)
    member = MergeInput(path=one, scale=0.8, text_encoder_scale=1.0, blocks=((block_of(LINEAR[5:]) or "", 0.25),))

    await merge_apart([member], tmp_path / "set.safetensors")

    found, first = changes(tmp_path / "set.safetensors"), changes(one)
    for name, scale in {LINEAR: 0.25, CONV: 0.8, TEXT: 1.0}.items():
        assert (found[name] - scale * first[name]).norm() / first[name].norm() < 1e-6


def test_norms_and_biases_add_up_too(tmp_path: Path) -> None:
    """By the scale of the network that they are in; what that takes away is not in the set."""
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    names = ("unet.conv_in.bias", "unet.conv_norm_out.gain", "text_encoder.final_layer_norm.gain")
    tensors = [{name: torch.full((6,), number + 1.0) for name in names[: 3 - number]} for number in range(2)]
    for path, own in zip(paths, tensors, strict=True):
        writer = CanonicalWriter(ModelFamily.SDXL)
        for name, vector in own.items():
            writer.add_vector(name, vector)
        writer.save(path)
    one, two = (
        MergeInput(path=path, scale=scale, text_encoder_scale=0.0) for path, scale in zip(paths, (0.5, -1), strict=True)
    )

    merge([one, two], tmp_path / "set.safetensors")

    found = load_file(tmp_path / "set.safetensors")
    assert {name: float(vector[0]) for name, vector in found.items()} == dict.fromkeys(names[:2], 0.5 - 2)
    assert LoraFile.open(tmp_path / "set.safetensors").vectors == dict.fromkeys(names[:2], 6)


@pytest.mark.parametrize("rule", ScaleRule)
def test_parts_that_are_not_linear_stay_what_they_were_at_their_scale(tmp_path: Path, rule: ScaleRule) -> None:
    """A DoRA at 0.7 in a set at 0.5 is that DoRA at 0.35, by its own program's rule, as is a set of sets."""
    one = lora(tmp_path / "a.safetensors", 1, LINEAR, dora=True, rule=rule)
    plain = lora(tmp_path / "b.safetensors", 2, LINEAR)
    inputs = [MergeInput(path=path, scale=0.7, text_encoder_scale=1) for path in (one, plain)]
    merge(inputs, tmp_path / "set.safetensors")
    merge([MergeInput(path=tmp_path / "set.safetensors", scale=0.5, text_encoder_scale=1)], tmp_path / "2.safetensors")

    expected = changes(one, 0.35)[LINEAR] + changes(plain, 0.35)[LINEAR]
    for found in (changes(tmp_path / "set.safetensors", 0.5), changes(tmp_path / "2.safetensors")):
        assert (found[LINEAR] - expected).norm() / expected.norm() < 1e-12


def test_a_set_follows_one_program(tmp_path: Path) -> None:
    """What is linear follows any."""
    peft = lora(tmp_path / "a.safetensors", 1, LINEAR, dora=True, rule=ScaleRule.PEFT)
    others = [
        lora(tmp_path / f"{dora}.safetensors", 2, LINEAR, dora=dora, rule=ScaleRule.LYCORIS) for dora in (False, True)
    ]
    plain, dora = ([MergeInput(path=path, scale=1, text_encoder_scale=1) for path in (peft, own)] for own in others)

    merge(plain, tmp_path / "set.safetensors")

    assert LoraFile.open(tmp_path / "set.safetensors").scale_rule is ScaleRule.PEFT
    with pytest.raises(UserError, match="scale rules of different programs"):
        merge(dora, tmp_path / "set.safetensors")


async def test_what_is_no_set_is_one_sentence(tmp_path: Path) -> None:
    """From the child process as well, and it leaves no file."""
    member = MergeInput(path=lora(tmp_path / "a.safetensors", 1, LINEAR), scale=0, text_encoder_scale=0)

    with pytest.raises(UserError, match="changes nothing"):
        await merge_apart([member, member], tmp_path / "set.safetensors")
    assert not (tmp_path / "set.safetensors").exists()
