"""What a one-file checkpoint does not hold: the configs and tokenizers of its family."""

from pathlib import Path
from typing import Final

import huggingface_hub as hub

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.models.metadata import MODEL_INDEX

_FILES: Final = [MODEL_INDEX, "unet/*.json", "vae/*.json", "text_encoder*/*.json", "tokenizer*/*", "scheduler/*"]


def base_configs(checkpoint: Path, family: ModelFamily) -> Path:
    """The diffusers folder with the configs for `checkpoint`: the one of its own name beside it, else the family's.

    Raises UserError if neither is on this machine.
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
    """Download the family's configs and tokenizers, a few megabytes without weights; errors are the Hub's own."""
    return Path(hub.snapshot_download(FAMILIES[family].base_repository, allow_patterns=_FILES))
