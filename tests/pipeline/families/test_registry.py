"""What is written of the families agrees with itself, and with what diffusers knows of them."""

import inspect
from typing import Final

import diffusers
import pytest
from diffusers.loaders.single_file_utils import DIFFUSERS_DEFAULT_PIPELINE_PATHS

from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES

THEIR_NAMES: Final = {ModelFamily.SDXL: "xl_base", ModelFamily.SD15: "v1"}


def test_what_tells_a_models_family_tells_one() -> None:
    """A folder is known by its pipeline's name, a file by the width of its text, a stored value by its description."""
    assert set(FAMILIES) == set(ModelFamily)
    assert len({family.pipeline for family in FAMILIES.values()}) == len(FAMILIES)
    assert len({family.cross_attention_width for family in FAMILIES.values()}) == len(FAMILIES)


@pytest.mark.parametrize("key", ModelFamily)
def test_a_description_agrees_with_diffusers(key: ModelFamily) -> None:
    """Its class exists and has these text encoders, and its one-file checkpoints have these configs."""
    family = FAMILIES[key]
    parts = inspect.signature(getattr(diffusers, family.pipeline)).parameters

    assert [part for part in parts if part.startswith("text_encoder")] == list(family.text_encoders)
    assert list(family.kohya_prefixes) == list(family.text_encoders)
    assert DIFFUSERS_DEFAULT_PIPELINE_PATHS[THEIR_NAMES[key]] == {
        "pretrained_model_name_or_path": family.base_repository
    }
