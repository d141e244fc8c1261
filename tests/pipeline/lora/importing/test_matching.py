"""The layers of a file matched with those of the base."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipeline.errors import UserError
from pipeline.lora.importing.file_layers import FileLayers
from pipeline.lora.importing.header import FileLimits, read_header
from pipeline.lora.importing.importer import ImportBase
from pipeline.lora.importing.matching import Matched, match

PATH = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
DIFFUSERS = f"lora_unet_{PATH.replace('.', '_')}"


def matched(base: ImportBase, folder: Path, *layers: str) -> Matched:
    save_file({f"{layer}.diff": torch.ones(64, 64) for layer in layers}, folder / "x.safetensors")
    file = FileLayers.of(read_header(folder / "x.safetensors", FileLimits()))
    return match(file, base.names, base.family)


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        (DIFFUSERS, "kohya"),
        (f"lycoris_{PATH.replace('.', '_')}", "LyCORIS"),
        (f"base_model.model.{PATH}", "PEFT"),
        (f"diffusion_model.{PATH}", "ComfyUI"),
        (f"unet.{PATH}", "diffusers"),
        (PATH, "bare"),
    ],
)
def test_one_layer_has_many_names(base: ImportBase, tmp_path: Path, name: str, layout: str) -> None:
    """Each shows the program that writes it."""
    found = matched(base, tmp_path, name)

    assert found.names == {base.layers[f"unet.{PATH}"]: name}
    assert (found.layout, found.repeats) == (layout, {})


def test_a_layer_that_is_there_twice_is_read_by_diffusers_name(base: ImportBase, tmp_path: Path) -> None:
    """The other half of such a file is counted; two names of one kind are refused."""
    original = next(
        name for name, layer in base.names.layers.items() if name.startswith("lora_unet_input") and PATH in layer.name
    )

    found = matched(base, tmp_path, original, DIFFUSERS)

    assert list(found.names.values()) == [DIFFUSERS]
    assert list(found.repeats.values()) == [original]
    with pytest.raises(UserError, match="twice, under two names"):
        matched(base, tmp_path, DIFFUSERS, f"unet.{PATH}")


def test_all_layers_or_none(base: ImportBase, tmp_path: Path) -> None:
    """One that the base lacks refuses the file, by its name."""
    with pytest.raises(UserError, match=r"1 of this file's 2 layers are not in SDXL, such as lora_unet_down_blocks_9"):
        matched(base, tmp_path, DIFFUSERS, DIFFUSERS.replace("blocks_1", "blocks_9"))


def test_a_way_of_naming_that_is_not_known_is_not_called_another_base(base: ImportBase, tmp_path: Path) -> None:
    """The width of the cross-attention is SDXL's own."""
    name = "unet.model.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"
    save_file({f"{name}.diff": torch.ones(640, 2048)}, tmp_path / "x.safetensors")
    file = FileLayers.of(read_header(tmp_path / "x.safetensors", FileLimits()))

    with pytest.raises(UserError, match=r"names SDXL's layers in a way that Limner does not know, such as unet\.model"):
        match(file, base.names, base.family)
