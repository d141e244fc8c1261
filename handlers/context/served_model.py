"""A model that is served, as imports and exports of LoRAs need it."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.models.metadata import ModelFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model that LoRAs may be made for: a diffusers folder or a checkpoint, and the folder that describes it."""

    facts: ModelFacts
    model: Path
    configs: Path
