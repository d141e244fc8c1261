"""Tiny models, built once a run; torch comes only with the first test that asks for one."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.models.source import EMBEDDED, ModelSource
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.image_request import ImageRequest, Scheduler

if TYPE_CHECKING:
    from pipeline.engine.loaded_model import LoadedModel

SPEC = DeviceSpec(models=("pocket",), device="cpu", threads=1, preview_every=2)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {"pocket": ModelSource.parse(EMBEDDED).local_path()}

    def folder(name: str) -> Path:
        from tests.pipeline.tiny_models import save_mote, save_nano, save_sd15, save_speck  # noqa: PLC0415  loads torch

        if name not in made:
            made[name] = tmp_path_factory.mktemp("models") / name
            savers = {"mote": save_mote, "nano": save_nano, "sd15": save_sd15, "speck": save_speck}
            savers[name](made[name])
        return made[name]

    return folder


@pytest.fixture(scope="session")
def loaded_model(model_folder: Callable[[str], Path]) -> Callable[[str], "LoadedModel"]:
    from pipeline.engine.loaded_model import LoadedModel  # noqa: PLC0415  loads torch
    from pipeline.models.hardware import Hardware  # noqa: PLC0415  loads torch

    made: dict[str, LoadedModel] = {}

    def of(name: str) -> LoadedModel:
        if name not in made:
            made[name] = LoadedModel(ModelSource.parse(str(model_folder(name))), Hardware.choose("cpu"), SPEC)
        return made[name]

    return of


def a_request(**changes: Any) -> ImageRequest:
    """A small request, with `changes`."""
    fields: dict[str, Any] = {
        "prompt": "red fox, glossy style",
        "width": 64,
        "height": 64,
        "steps": 4,
        "guidance_scale": 5.0,
        "seed": 7,
        "model": "pocket",
        "scheduler": Scheduler.EULER,
    }
    return ImageRequest(**{**fields, **changes})
