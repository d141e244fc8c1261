"""What a one-file checkpoint does not hold: the configs and tokenizers of its family."""

from pathlib import Path
from typing import Final

import huggingface_hub as hub

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.models.model_files import MODEL_INDEX

_FILES: Final = [MODEL_INDEX, "unet/*.json", "vae/*.json", "text_encoder*/*.json", "tokenizer*/*", "scheduler/*"]


def base_configs(checkpoint: Path, family: ModelFamily) -> Path:
    """The diffusers folder that describes a one-file checkpoint.

    Args:
        checkpoint: the file; the folder of its own name beside it is taken, where there is one.
        family: whose base model's configs are taken otherwise, from the Hugging Face cache.

    Returns:
        The folder: configs and tokenizers, with or without weights.

    Raises:
        UserError: neither is on this machine.
    """
    own = checkpoint.with_suffix("")
    if (own / MODEL_INDEX).exists():
        return own
    try:
        return Path(
            hub.snapshot_download(FAMILIES[family].base_repository, allow_patterns=_FILES, local_files_only=True)
        )
    except hub.errors.LocalEntryNotFoundError:
        raise UserError(
            f"The configs and tokenizers for {checkpoint.name} are not on this machine yet; "
            f"run: limner models pull {checkpoint}"
        ) from None


def pull_base_configs(family: ModelFamily) -> Path:
    """Download a family's configs and tokenizers, a few megabytes without weights; errors are the Hub's own.

    Args:
        family: of which the base model is taken.

    Returns:
        The diffusers folder in the Hugging Face cache.
    """
    return Path(hub.snapshot_download(FAMILIES[family].base_repository, allow_patterns=_FILES))
