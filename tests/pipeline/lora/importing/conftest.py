"""The tiny model that files are imported for."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.families.family import ModelFamily

if TYPE_CHECKING:
    from pipeline.lora.importing.importer import ImportBase


@pytest.fixture
def base(model_folder: Callable[[str], Path]) -> "ImportBase":
    """Of SDXL's family."""
    from tests.pipeline.lora.importing.measuring import base_of  # noqa: PLC0415  loads torch

    return base_of(model_folder("nano"), ModelFamily.SDXL)
