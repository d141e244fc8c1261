"""What PEFT keeps outside its tensors."""

from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.lora.importing.importer import ImportBase
from pipeline.lora.importing.peft_config import read_configs
from tests.pipeline.lora.importing.test_importer import halves, imported


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"peft_type": "LOKR"}', "PEFT's LOKR"),
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
