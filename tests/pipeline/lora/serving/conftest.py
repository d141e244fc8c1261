"""A file of every kind of LoRA for layers as wide as SDXL's."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.pipeline.lora.serving.served_layers import save_kinds  # noqa: PLC0415  loads torch

    folder = tmp_path_factory.mktemp("kinds")
    save_kinds(folder)
    return folder
