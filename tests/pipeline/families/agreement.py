"""What diffusers knows of a family of models."""

import inspect

import diffusers
from diffusers.loaders.single_file_utils import DIFFUSERS_DEFAULT_PIPELINE_PATHS

from pipeline.families.family import Family


def text_encoders(family: Family) -> list[str]:
    """The text encoders that the family's pipeline takes, in its order."""
    parts = inspect.signature(getattr(diffusers, family.pipeline)).parameters
    return [part for part in parts if part.startswith("text_encoder")]


def base_repository(checkpoint: str) -> str:
    """Where diffusers finds the configs of a one-file checkpoint, which it calls `checkpoint`."""
    return str(DIFFUSERS_DEFAULT_PIPELINE_PATHS[checkpoint]["pretrained_model_name_or_path"])
