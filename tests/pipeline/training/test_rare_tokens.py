"""The words that training may fill: one token each, and unknown to the model."""

import shutil
from pathlib import Path

import pytest
from transformers import CLIPTokenizer

from pipeline.errors import UserError
from pipeline.models.source import EMBEDDED, ModelSource
from pipeline.training.rare_tokens import rare_tokens

POCKET = ModelSource.parse(EMBEDDED)


def test_each_is_one_token_that_the_model_never_learnt() -> None:
    words = rare_tokens(POCKET)
    tokenizer = CLIPTokenizer.from_pretrained(POCKET.local_path() / "tokenizer")
    for word in words[:100]:
        begin, token, end = tokenizer(word).input_ids
        assert (begin, end) == (tokenizer.bos_token_id, tokenizer.eos_token_id)
        assert tokenizer.decode([token]).strip() == word
    # What captions are made of was learnt best.
    known = {"mouse", "ghost", "clown", "face", "door", "peach"}
    assert known <= set(words)
    assert min(words.index(word) for word in known) > 200


def test_a_damaged_table_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(POCKET.local_path(), folder)
    (folder / "text_encoder" / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="pull the model again"):
        rare_tokens(ModelSource.parse(str(folder)))
