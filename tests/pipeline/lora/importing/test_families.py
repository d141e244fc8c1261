"""The base that a file is made for, by what it says without being asked."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.importing.families import MadeFor, made_for, refuse_other_kinds
from pipeline.lora.importing.file_layers import FileLayers
from pipeline.lora.importing.header import FileLimits, read_header


def layers(folder: Path, shapes: Mapping[str, tuple[int, ...]], metadata: dict[str, str] | None = None) -> FileLayers:
    tensors = {name: torch.ones(shape) for name, shape in shapes.items()}
    save_file(tensors, folder / "x.safetensors", metadata=metadata)
    return FileLayers.of(read_header(folder / "x.safetensors", FileLimits()))


@pytest.mark.parametrize(
    ("shapes", "base"),
    [
        ({"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": (4, 8)}, "FLUX.1"),
        ({"x_attn2_to_k.lora_down.weight": (4, 768)}, "SD 1.5"),
        ({"x_attn2_to_k.lora_down.weight": (4, 1024)}, "SD 2"),
        ({"x_attn2_to_k.lora_down.weight": (4, 2048)}, "SDXL"),
        ({"x_attn2_to_k.lokr_w1": (4, 32), "x_attn2_to_k.lokr_w2": (8, 64)}, "SDXL"),
        ({"lora_te2_x.lora_down.weight": (4, 8)}, "SDXL"),
        ({"x_attn1_to_k.lora_down.weight": (4, 768)}, None),
    ],
)
def test_names_and_the_width_of_the_text_say_it(
    tmp_path: Path, shapes: dict[str, tuple[int, ...]], base: str | None
) -> None:
    """Cross-attention reads as many numbers as the text encoders give; self-attention says nothing."""
    assert made_for(layers(tmp_path, shapes)) == MadeFor(base=base)


def test_metadata_are_asked_last(tmp_path: Path) -> None:
    """People copy them from file to file."""
    stated = {"ss_base_model_version": "sdxl_base_v1-0"}

    assert made_for(layers(tmp_path, {"x.lora_down.weight": (4, 8)}, stated)).base == "SDXL"
    assert made_for(layers(tmp_path, {"x_attn2_to_k.lora_down.weight": (4, 768)}, stated)).base == "SD 1.5"


def test_another_base_is_refused_and_an_unknown_one_is_not() -> None:
    """It may yet fit layer by layer."""
    MadeFor(base=None).refuse_other_than(ModelFamily.SDXL)
    MadeFor(base="SDXL").refuse_other_than(ModelFamily.SDXL)
    with pytest.raises(UserError, match="made for SD 2; this server runs SDXL"):
        MadeFor(base="SD 2").refuse_other_than(ModelFamily.SDXL)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("control_model.input_blocks.0.0.weight", "a ControlNet"),
        ("first_stage_model.decoder.conv_in.weight", "a whole checkpoint"),
        ("body.0.rdb1.conv1.weight", "an upscaler"),
        ("lora_unet_x.weight_scale", "quantised"),
        ("anything.weight", "a model's own weights"),
    ],
)
def test_what_is_no_lora_is_called_by_its_kind(tmp_path: Path, name: str, words: str) -> None:
    """And where there is a command for it, which."""
    with pytest.raises(UserError, match=words):
        refuse_other_kinds(layers(tmp_path, {name: (2, 2)}))
