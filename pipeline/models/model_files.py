"""The files of a model's folder, read without torch."""

import json
from pathlib import Path
from typing import Final

from pipeline.errors import UserError

MODEL_INDEX: Final = "model_index.json"


def component_files(folder: Path) -> list[Path]:
    """The safetensors files of one component.

    Args:
        folder: the component's own, such as `unet`.

    Returns:
        All shards, by name; those in half precision only where there are no others.

    Raises:
        UserError: there are none.
    """
    files = sorted(folder.glob("*.safetensors"))
    full = [file for file in files if ".fp16" not in file.name]
    if not files:
        raise UserError(f"{folder} holds no safetensors weights; pull the model again or convert its pickles.")
    return full or files


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
