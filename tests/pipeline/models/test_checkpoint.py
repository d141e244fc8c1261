"""A model's parts as they lie on the Hub, or one sentence that says what is wrong with them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline.errors import UserError
from tests.pipeline.models.loading import load


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def rewrite(folder: Path, **tensors: torch.Tensor) -> None:
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({**load_file(path), **tensors}, path)


def test_a_tokenizer_without_a_length_takes_that_of_its_encoder(copy: Path) -> None:
    """Which transformers takes for endless, and fails to fill."""
    path = copy / "tokenizer" / "tokenizer_config.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in said.items() if key != "model_max_length"}))

    encoder = load(copy).text_encoders[0]

    assert encoder.tokens("red fox").shape == (1, 77)


def test_half_precision_shards_and_old_names_load(copy: Path) -> None:
    """As they lie on the Hub: `.fp16`, several files, a VAE with the names of 2022."""
    unet = copy / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = {name: tensor.half() for name, tensor in load_file(unet).items()}
    unet.unlink()
    for shard in range(2):
        names = sorted(tensors)[shard::2]
        path = copy / "unet" / f"diffusion_pytorch_model-0000{shard}-of-00002.fp16.safetensors"
        save_file({name: tensors[name] for name in names}, path)
    vae = copy / "vae" / "diffusion_pytorch_model.safetensors"
    renamed = {
        name.replace(".to_q.", ".query.").replace(".to_out.0.", ".proj_attn."): tensor
        for name, tensor in load_file(vae).items()
    }
    save_file(renamed, vae)

    load(copy)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: change(folder / "model_index.json", _class_name="FluxPipeline"), "serves SDXL and SD 1.5"),
        (lambda folder: (folder / "model_index.json").unlink(), "not a complete diffusers model"),
        (lambda folder: (folder / "vae" / "config.json").write_text("{"), "is damaged"),
        (lambda folder: (folder / "scheduler" / "scheduler_config.json").write_text("[]"), "is damaged"),
        (lambda folder: change(folder / "unet" / "config.json", in_channels=9), "draws inside pictures only"),
        (
            lambda folder: change(folder / "unet" / "config.json", cross_attention_dim=64),
            "sets cross_attention_dim to 64",
        ),
        (
            lambda folder: change(folder / "unet" / "config.json", block_out_channels=[32] * 4),
            "do not fit their config",
        ),
        (
            lambda folder: change(folder / "text_encoder" / "config.json", num_hidden_layers=4),
            "lack 16 tensors, such as",
        ),
        (lambda folder: change(folder / "unet" / "config.json", down_block_types=["?"]), "other blocks than"),
        (lambda folder: change(folder / "unet" / "config.json", act_fn="?"), "describes no model"),
        (lambda folder: shutil.rmtree(folder / "tokenizer"), "tokenizer"),
        (lambda folder: rewrite(folder, extra=torch.zeros(1)), "1 tensors that their config does not tell of"),
        (lambda folder: rewrite(folder, **{"conv_out.bias": torch.zeros(4, dtype=torch.int8)}), "are whole numbers"),
        (lambda folder: (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink(), "no safetensors weights"),
    ],
)
def test_a_broken_model_is_one_sentence(copy: Path, damage: Callable[[Path], object], sentence: str) -> None:
    """That names the part and says what to do."""
    damage(copy)

    with pytest.raises(UserError, match=sentence) as caught:
        load(copy)
    assert "\n" not in str(caught.value)
