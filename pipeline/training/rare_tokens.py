"""Words that a model hardly knows, to be filled with a subject: read without torch."""

import json
import re
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open

from pipeline.errors import UserError
from pipeline.models.base_configs import base_configs
from pipeline.models.model_files import component_files, read_json
from pipeline.models.source import ModelSource

_WORD: Final = re.compile(r"([a-z]{1,5})</w>")
_TABLE: Final = "token_embedding.weight"
_MOST: Final = 500


def rare_tokens(model: ModelSource) -> tuple[str, ...]:
    """Short words that are one token each in a model's own vocabulary.

    How much a token was trained shows in the length of its row in the first text encoder's table: training makes it
    grow (Land & Bartolo, 2024; arXiv 2405.05417).

    Args:
        model: is on this machine.

    Returns:
        Up to 500 words of at most five letters, the least trained first.

    Raises:
        UserError: the model is not here, or its files are damaged.
    """
    path = model.local_path()
    if path.is_dir():
        folder, weights = path, component_files(path / "text_encoder")[0]
    else:
        folder, weights = base_configs(path, model.facts().family), path
    vocabulary = _vocabulary(folder / "tokenizer")
    lengths = _lengths(weights)
    words = [
        (lengths[number], match[1])
        for token, number in vocabulary.items()
        if (match := _WORD.fullmatch(token)) and number < len(lengths)
    ]
    return tuple(word for _, word in sorted(words)[:_MOST])


def _vocabulary(folder: Path) -> dict[str, int]:
    whole = folder / "tokenizer.json"
    if not whole.exists():
        return {token: int(str(number)) for token, number in read_json(folder / "vocab.json").items()}
    try:
        vocabulary: dict[str, int] = json.loads(whole.read_text())["model"]["vocab"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{whole} is damaged; pull the model again.") from error
    return vocabulary


def _lengths(weights: Path) -> list[float]:
    """The length of each token's row."""
    import numpy as np  # noqa: PLC0415 - every process that has the commands imports this module

    try:
        with safe_open(weights, framework="np") as file:
            name = next(name for name in file.keys() if name.endswith(_TABLE))  # noqa: SIM118  not a mapping
            table = file.get_tensor(name).astype(np.float32)
    except (SafetensorError, OSError, StopIteration, TypeError) as error:
        raise UserError(f"{weights.name} holds no words that can be read; pull the model again.") from error
    lengths: list[float] = np.linalg.norm(table, axis=1).tolist()
    return lengths
