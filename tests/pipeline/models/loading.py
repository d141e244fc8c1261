"""A model's parts on the CPU."""

from pathlib import Path

from pipeline.models.checkpoint import load_checkpoint
from pipeline.models.hardware import Hardware
from pipeline.models.source import ModelSource


def load(folder: Path) -> None:
    load_checkpoint(ModelSource.parse(str(folder)), Hardware.choose("cpu"))
