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


ATTENTION = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0"


@pytest.mark.parametrize(
    ("shapes", "bases"),
    [
        ({"lora_unet_double_blocks_0_img_mod_lin": (3072, 18432)}, {"FLUX.1"}),
        ({f"{ATTENTION}_attn2_to_k": (768, 640)}, {"SD 1.5"}),
        ({f"{ATTENTION}_attn2_to_k": (1024, 640)}, {"SD 2"}),
        ({f"{ATTENTION}_attn2_to_k": (333, 640)}, set()),
        ({"lora_te2_text_model_encoder_layers_31_mlp_fc1": (1280, 5120)}, {"SDXL", "SD 3", "HiDream"}),
    ],
)
def test_names_and_shapes_say_it(tmp_path: Path, shapes: dict[str, tuple[int, int]], bases: set[str]) -> None:
    """A width that no model has says nothing."""
    halves = {f"{name}.lora_down.weight": (4, wide) for name, (wide, _) in shapes.items()}
    halves |= {f"{name}.lora_up.weight": (high, 4) for name, (_, high) in shapes.items()}

    assert made_for(layers(tmp_path, halves)) == MadeFor(bases=frozenset(bases))


def test_a_kronecker_products_width_is_that_of_both(tmp_path: Path) -> None:
    shapes = {f"{ATTENTION}_attn2_to_k.lokr_w1": (8, 32), f"{ATTENTION}_attn2_to_k.lokr_w2": (80, 64)}

    assert "SDXL" in made_for(layers(tmp_path, shapes)).bases


def test_words_are_asked_where_layers_fit_several_or_none(tmp_path: Path) -> None:
    """People copy metadata from file to file, so a shape weighs more; but Kolors has SDXL's own."""
    xl = {"ss_base_model_version": "sdxl_base_v1-0"}
    old = layers(tmp_path, {f"{ATTENTION}_attn2_to_k.lora_down.weight": (4, 768)}, xl)
    assert made_for(old, "SDXL 1.0").bases == {"SD 1.5"}
    assert made_for(layers(tmp_path, {"x.lora_down.weight": (4, 8)}, xl)).bases == {"SDXL"}
    assert made_for(layers(tmp_path, {f"{ATTENTION}_attn2_to_k.lora_down.weight": (4, 2048)}), "Kolors").bases == {
        "Kolors"
    }
    assert made_for(
        layers(tmp_path, {"x.lora_down.weight": (4, 8)}, {"modelspec.architecture": "kolors/lora"})
    ).bases == {"Kolors"}


def test_another_base_is_refused_and_an_unknown_one_is_not() -> None:
    """It may yet fit layer by layer."""
    MadeFor(bases=frozenset()).refuse_other_than(ModelFamily.SDXL)
    MadeFor(bases=frozenset({"SDXL", "SD 3"})).refuse_other_than(ModelFamily.SDXL)
    with pytest.raises(UserError, match=r"made for Chroma, FLUX.1 or Wan; this server runs SDXL"):
        MadeFor(bases=frozenset({"FLUX.1", "Wan", "Chroma"})).refuse_other_than(ModelFamily.SDXL)


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
