"""A model's parts on the CPU."""

from pathlib import Path

from pipeline.models.checkpoint import Checkpoint, load_checkpoint
from pipeline.models.hardware import Hardware
from pipeline.models.source import ModelSource


def load(folder: Path) -> Checkpoint:
    return load_checkpoint(ModelSource.parse(str(folder)), Hardware.choose("cpu"))
