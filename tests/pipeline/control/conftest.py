"""ControlNets of two kinds for both bases, and models that use them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.models.source import ModelSource
from tests.pipeline.conftest import SPEC

if TYPE_CHECKING:
    from pipeline.engine.loaded_model import LoadedModel

_SEEDS = {"edge": 1, "depth": 2}


@pytest.fixture(scope="module")
def controls(tmp_path_factory: pytest.TempPathFactory, loaded_model: Callable[[str], "LoadedModel"]) -> Path:
    """The installation's folder of them."""
    from tests.pipeline.control.ready_maps import FAMILY  # noqa: PLC0415  loads torch
    from tests.pipeline.tiny_models import save_control  # noqa: PLC0415  loads torch

    root = tmp_path_factory.mktemp("controls")
    for name, family in FAMILY.items():
        unet = loaded_model(name)._checkpoint.unet
        for kind, seed in _SEEDS.items():
            save_control(root / family / kind, unet, seed)
    return root


@pytest.fixture(scope="module")
def controlled_model(controls: Path, model_folder: Callable[[str], Path]) -> Callable[[str], "LoadedModel"]:
    from pipeline.engine.loaded_model import LoadedModel  # noqa: PLC0415  loads torch
    from pipeline.models.hardware import Hardware  # noqa: PLC0415  loads torch

    spec = replace(SPEC, controls=controls)
    made: dict[str, LoadedModel] = {}

    def of(name: str) -> LoadedModel:
        if name not in made:
            made[name] = LoadedModel(ModelSource.parse(str(model_folder(name))), Hardware.choose("cpu"), spec)
        return made[name]

    return of
