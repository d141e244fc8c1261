"""The files of a model's folder, read without torch."""

import json
from pathlib import Path
from typing import Final

from pipeline.errors import UserError

MODEL_INDEX: Final = "model_index.json"
_HALVES: Final = (".fp16", ".bf16")


def component_files(folder: Path) -> list[Path]:
    """The safetensors files of one component.

    Args:
        folder: the component's own, such as `unet`.

    Returns:
        All shards, by name, of one precision: half precision only where there is no other. Weights from before the
        moving average, which training goes on from, are never among them.

    Raises:
        UserError: there are none.
    """
    files = [file for file in sorted(folder.glob("*.safetensors")) if not is_unaveraged(file.name)]
    by_precision = {mark: [file for file in files if mark in file.name] for mark in _HALVES}
    full = [file for file in files if not any(file in halves for halves in by_precision.values())]
    if not files:
        raise UserError(f"{folder} holds no safetensors weights; pull the model again or convert its pickles.")
    return full or next(halves for halves in by_precision.values() if halves)


def is_unaveraged(name: str) -> bool:
    """Whether a file holds the weights that a moving average was taken of.

    Args:
        name: the file's.

    Returns:
        Whether it says so, as SD 1.5's does.
    """
    return ".non_ema" in name


def read_json(path: Path) -> dict[str, object]:
    """A JSON object from a model's folder.

    Args:
        path: the file.

    Returns:
        The object.

    Raises:
        UserError: there is no such file, or it holds no JSON object.
    """
    try:
        value = json.loads(path.read_text())
    except OSError as error:
        raise UserError(f"{path} is missing; this is not a complete diffusers model.") from error
    except ValueError as error:
        raise UserError(f"{path} is damaged; pull the model again.") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} is damaged; pull the model again.")
    return value
