"""A model's own scheduler config, with what its author left to the defaults of the class that it names."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers

from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.models.config_check import class_of, read_config
from pipeline.models.config_keys import TRAINED_WITH
from pipeline.models.model_files import MODEL_INDEX, read_json


def scheduler_config(folder: Path, family: ModelFamily) -> dict[str, Any]:
    """What a model was trained with and how its author samples it, for any sampler.

    Args:
        folder: a diffusers folder, with or without weights.
        family: of the model.

    Returns:
        A config as diffusers' schedulers take it.

    Raises:
        UserError: it is missing or damaged.
    """
    config = read_config(folder, "scheduler")
    # diffusers goes by the class that the index names, whatever the config says of itself.
    kind = class_of(read_json(folder / MODEL_INDEX), "scheduler") or str(config.get("_class_name"))
    defaults = _defaults(kind)
    trained: dict[str, Any] = {name: defaults[name] for name in TRAINED_WITH if name in defaults}
    return {**trained, **config, **_mended(defaults | config, family), "_class_name": kind}


def _defaults(kind: str) -> dict[str, Any]:
    scheduler = getattr(diffusers, kind, None)
    # What needs a package that is not here stands there as an empty class.
    if not (isinstance(scheduler, type) and issubclass(scheduler, diffusers.SchedulerMixin)):
        scheduler = diffusers.EulerDiscreteScheduler
    parameters = inspect.signature(scheduler).parameters
    return {name: own.default for name, own in parameters.items() if own.default is not inspect.Parameter.empty}


def _mended(config: Mapping[str, Any], family: ModelFamily) -> dict[str, Any]:
    """What diffusers' pipeline of the families before SDXL sets right in configs of 2022."""
    if FAMILIES[family].pooled_and_sizes:
        return {}
    offset = {"steps_offset": 1} if config.get("steps_offset", 1) != 1 else {}
    return {**offset, "clip_sample": False} if config.get("clip_sample") is True else offset
