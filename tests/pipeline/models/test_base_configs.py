"""Where the configs and tokenizers of a one-file checkpoint come from."""

import shutil
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.models.source import ModelSource
from tests.pipeline.ldm_checkpoint import save_checkpoint


def test_without_configs_the_sentence_says_how_to_get_them(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file alone holds no tokenizer; one command brings it."""
    path = folder.with_suffix(".safetensors")
    save_checkpoint(folder, path)
    source = ModelSource.parse(str(path))
    facts = source.facts()
    shutil.rmtree(folder)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))

    from pipeline.models.base_configs import base_configs  # noqa: PLC0415  after the cache is elsewhere

    with pytest.raises(UserError, match=r"run: limner models pull .*model\.safetensors"):
        base_configs(path, facts.family)
