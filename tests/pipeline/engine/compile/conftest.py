"""A tiny model, and LoRAs that change it."""

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def speck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.pipeline.tiny_models import save_speck  # noqa: PLC0415  loads torch

    folder = tmp_path_factory.mktemp("models") / "speck"
    save_speck(folder)
    return folder


@pytest.fixture(scope="module")
def loras(speck: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`usual` changes what nearly all change, `thorough` every convolution besides; `deep` needs own weights."""
    from diffusers import StableDiffusionXLPipeline  # noqa: PLC0415  loads torch

    from tests.pipeline.random_loras import random_lora  # noqa: PLC0415  loads torch

    folder = tmp_path_factory.mktemp("loras")
    pipeline = StableDiffusionXLPipeline.from_pretrained(speck)
    random_lora(pipeline, "usual", rank=4, wanted=lambda name: ".attentions." in name, seed=1).save(folder)
    random_lora(pipeline, "thorough", rank=4, wanted=lambda name: name.startswith("unet."), seed=2).save(folder)
    random_lora(pipeline, "deep", rank=65, wanted=lambda name: name.startswith("unet."), seed=3).save(folder)
    return folder
