"""A set of LoRAs as one: the sum of their changes, and nothing else."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.errors import UserError
from pipeline.lora.exporting.merge import merge
from pipeline.lora.exporting.merge_process import MergeInput, merge_apart
from pipeline.lora.format.file import FORMAT, VERSION, WITH_VECTORS, LoraFile

LINEAR = "unet.mid_block.attentions.0.proj_in"
CONV = "unet.conv_in"
TEXT = "text_encoder.encoder.layers.0.self_attn.q_proj"


def lora(path: Path, seed: int, *names: str, rank: int = 3) -> Path:
    """A canonical LoRA of `rank` for these layers, in half precision."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name in names:
        width = (4, 3, 3) if name == CONV else (6,)
        tensors[f"{name}.down"] = torch.randn(rank, *width, generator=generator).half()
        tensors[f"{name}.up"] = torch.randn(5, rank, generator=generator).half()
    save_file(tensors, path, metadata={"format": FORMAT, "version": VERSION, "family": "sdxl"})
    return path


def changes(path: Path) -> dict[str, Tensor]:
    """What a canonical file changes at scale 1, by layer."""
    tensors = load_file(path)
    return {
        name: tensors[f"{name}.up"].double() @ tensors[f"{name}.down"].double().flatten(1)
        for name in LoraFile.open(path).layers
    }


async def test_a_set_is_the_sum_of_its_members_at_their_scales(tmp_path: Path) -> None:
    """Linear, convolution and text encoder, each with its own scale; a layer that one alone changes as well.

    In a process of its own, and the members stay as they are.
    """
    one = lora(tmp_path / "a.safetensors", 1, LINEAR, CONV, TEXT)
    two = lora(tmp_path / "b.safetensors", 2, LINEAR, TEXT, rank=2)
    members = (
        MergeInput(path=one, scale=0.8, text_encoder_scale=0.0),
        MergeInput(path=two, scale=-0.5, text_encoder_scale=1.5),
    )

    before = one.read_bytes(), two.read_bytes()

    made = await merge_apart(members, tmp_path / "set.safetensors")

    assert (one.read_bytes(), two.read_bytes()) == before
    assert (made.layers, made.ranks) == (3, (2, 5))
    assert made.size == (tmp_path / "set.safetensors").stat().st_size
    found, first, second = changes(tmp_path / "set.safetensors"), changes(one), changes(two)
    expected = {LINEAR: 0.8 * first[LINEAR] - 0.5 * second[LINEAR], CONV: 0.8 * first[CONV], TEXT: 1.5 * second[TEXT]}
    assert found.keys() == expected.keys()
    for name, change in expected.items():
        assert (found[name] - change).norm() / change.norm() < 1e-6


def test_norms_and_biases_add_up_too(tmp_path: Path) -> None:
    """By the scale of the network that they are in; what that takes away is not in the set."""
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    names = ("unet.conv_in.bias", "unet.conv_norm_out.gain", "text_encoder.final_layer_norm.gain")
    tensors = [{name: torch.full((6,), number + 1.0) for name in names[: 3 - number]} for number in range(2)]
    for path, own in zip(paths, tensors, strict=True):
        save_file(own, path, metadata={"format": FORMAT, "version": WITH_VECTORS, "family": "sdxl"})
    one, two = (
        MergeInput(path=path, scale=scale, text_encoder_scale=0.0) for path, scale in zip(paths, (0.5, -1), strict=True)
    )

    merge([one, two], tmp_path / "set.safetensors")

    found = load_file(tmp_path / "set.safetensors")
    assert {name: float(vector[0]) for name, vector in found.items()} == dict.fromkeys(names[:2], 0.5 - 2)
    assert LoraFile.open(tmp_path / "set.safetensors").vectors == dict.fromkeys(names[:2], 6)


def test_a_rank_past_the_limit_is_no_set(tmp_path: Path) -> None:
    """Which the sum of two may be, though neither is."""
    paths = [lora(tmp_path / f"{seed}.safetensors", seed, LINEAR, rank=200) for seed in (1, 2)]

    with pytest.raises(UserError, match="rank 400"):
        merge([MergeInput(path=path, scale=1, text_encoder_scale=1) for path in paths], tmp_path / "set.safetensors")


async def test_what_is_no_set_is_one_sentence(tmp_path: Path) -> None:
    """From the child process as well, and it leaves no file."""
    member = MergeInput(path=lora(tmp_path / "a.safetensors", 1, LINEAR), scale=0, text_encoder_scale=0)

    with pytest.raises(UserError, match="changes nothing"):
        await merge_apart([member, member], tmp_path / "set.safetensors")
    assert not (tmp_path / "set.safetensors").exists()
