"""A model on disk as the base of imports: its layers and where its weights are."""

from pathlib import Path

from pipeline.families.family import ModelFamily
from pipeline.lora.importing.base_layers import skeleton
from pipeline.lora.importing.base_weights import BaseWeights, CheckpointWeights, FolderWeights
from pipeline.lora.importing.importer import ImportBase


def open_base(model: Path, configs: Path, family: ModelFamily) -> ImportBase:
    """The base at a path, with its layers; no weight is read yet.

    Args:
        model: a diffusers folder or a checkpoint.
        configs: a folder that describes it.
        family: of the model.

    Returns:
        To import LoRAs for.

    Raises:
        UserError: the configs describe no model that Limner knows.
    """
    layers = skeleton(configs, family)
    weights: BaseWeights = FolderWeights(model) if model.is_dir() else CheckpointWeights(model, family, layers)
    return ImportBase.of(family, layers, weights)
