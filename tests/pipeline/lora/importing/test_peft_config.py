"""What PEFT keeps outside its tensors."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.errors import UserError
from pipeline.lora.importing.importer import ImportBase, Upload, import_lora
from pipeline.lora.importing.peft_config import read_configs, trained_on
from tests.pipeline.lora.importing.test_importer import halves, imported

QUERIES = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"peft_type": "LOKR"}', "PEFT's LoKr"),
        ('{"peft_type": "FOURIERFT"}', "PEFT's FourierFT"),
        ('{"peft_type": "LORA", "init_lora_weights": "pissa_niter_4"}', "This is PiSSA"),
        ('{"unet.init_lora_weights": "olora"}', "This is OLoRA"),
        ('{"use_qalora": true}', "QALoRA"),
        ('{"init_lora_weights": "of-tomorrow"}', "begins as 'of-tomorrow'"),
        ('{"lora_alpha": 8, "alpha_pattern": {"(a+)+$": 1}}', "patterns"),
        ('{"lora_alpha": 1e999}', "usable number"),
        ('{"lora_alpha": true}', "usable number"),
    ],
)
def test_a_bad_adapter_config_is_refused(base: ImportBase, tmp_path: Path, config: str, words: str) -> None:
    """Neither guessed at nor run as a regular expression."""
    with pytest.raises(UserError, match=words):
        imported(halves(), base, tmp_path, {"adapter_config": config})


def test_a_pattern_means_a_whole_path_or_its_end() -> None:
    """The first that fits; a caret asks for the whole path."""
    text = '{"lora_alpha": 8, "alpha_pattern": {"to_q": 1, "^a.to_k": 2}}'
    config = read_configs({"adapter_config": text}, None)["unet"]

    assert [config.alpha_of(path, 4) for path in ("a.to_q", "to_q", "auto_q", "a.to_k", "b.a.to_k")] == [1, 1, 8, 2, 8]


def test_rank_stabilisation_multiplies_by_the_ranks_root() -> None:
    """So that alpha over rank becomes alpha over its root; without an alpha there is nothing to multiply."""
    configs = read_configs({}, '{"use_rslora": true, "unet.lora_alpha": 6}')

    assert configs["unet"].alpha_of("x", 4) == 12
    assert configs["text_encoder"].alpha_of("x", 4) is None


@pytest.mark.parametrize("start", ["true", "false", '"gaussian"', '"eva"', '"orthogonal"', '"mica"'])
def test_a_start_that_leaves_the_base_alone_is_read(base: ImportBase, tmp_path: Path, start: str) -> None:
    config = f'{{"lora_alpha": 2, "init_lora_weights": {start}}}'

    assert imported(halves(), base, tmp_path, {"adapter_config": config}).layers == 1


def test_an_alpha_that_peft_keeps_elsewhere_is_the_members(base: ImportBase, tmp_path: Path) -> None:
    """Without it the rank is taken, and the card says so; where the file says it, there is nothing to set."""
    name = f"base_model.model.{QUERIES}"
    halves = {f"{name}.lora_A.weight": torch.full((4, 64), 0.05), f"{name}.lora_B.weight": torch.ones(64, 4) / 20}
    save_file(halves, tmp_path / "lora.safetensors")
    upload = Upload(path=tmp_path / "lora.safetensors")

    assert "its rank was taken" in import_lora(upload, base, tmp_path / "rank.safetensors").notes[0]
    told = replace(upload, alpha=8.0)
    assert import_lora(told, base, tmp_path / "alpha.safetensors").notes == ("Alpha 8, as its member says.",)
    assert torch.allclose(2 * product(tmp_path / "rank.safetensors"), product(tmp_path / "alpha.safetensors"))
    with pytest.raises(UserError, match="states its own alpha"):
        import_lora(replace(told, adapter_config='{"lora_alpha": 8}'), base, tmp_path / "x.safetensors")


def product(path: Path) -> Tensor:
    halves = {name.rpartition(".")[2]: tensor.double() for name, tensor in load_file(path).items()}
    made: Tensor = torch.tensordot(halves["up"], halves["down"], dims=1)
    return made


def test_the_base_that_a_config_names() -> None:
    """Under diffusers' prefix, too; a damaged one is refused elsewhere."""
    assert trained_on({}, '{"base_model_name_or_path": "a/b"}') == "a/b"
    assert trained_on({"lora_adapter_metadata": '{"unet.base_model_name_or_path": "c"}'}, None) == "c"
    assert [trained_on({}, text) for text in (None, "{", "[]", "{}")] == [""] * 4
