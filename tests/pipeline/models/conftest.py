"""Tiny models for tests that damage or convert them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def copy(tmp_path: Path, model_folder: Callable[[str], Path]) -> Path:
    return Path(shutil.copytree(model_folder("sd15"), tmp_path / "copy"))


@pytest.fixture(params=["nano", "sd15"], ids=["sdxl", "sd15"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, model_folder: Callable[[str], Path]) -> Path:
    """A tiny model as a diffusers folder; a checkpoint of the same name beside it finds its configs there."""
    return Path(shutil.copytree(model_folder(request.param), tmp_path / "model"))
