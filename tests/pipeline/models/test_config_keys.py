"""The table of keys beside what diffusers and transformers know today."""

import inspect
from collections.abc import Iterable
from typing import Any

import diffusers
import pytest
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.schedulers.scheduling_utils import KarrasDiffusionSchedulers
from transformers import CLIPTextConfig, PreTrainedConfig

from pipeline.models.config_keys import CLASSES, PIPELINE, SCHEDULER, TEXT_ENCODER, UNET, VAE, Keys


def _parameters(kind: Any) -> set[str]:
    return set(inspect.signature(kind.__init__).parameters) - {"self", "kwargs", "args"}


def _schedulers() -> set[str]:
    # Some need packages that are not here and show no options; theirs are those of the others.
    return {name for kind in CLASSES["scheduler"] for name in _parameters(getattr(diffusers, kind))}


@pytest.mark.parametrize(
    ("keys", "theirs"),
    [
        (UNET, _parameters(UNet2DConditionModel)),
        (VAE, _parameters(AutoencoderKL)),
        (SCHEDULER, _schedulers()),
        (TEXT_ENCODER, set(CLIPTextConfig().to_dict()) - set(PreTrainedConfig().to_dict())),
    ],
    ids=["unet", "vae", "scheduler", "text encoder"],
)
def test_every_key_of_theirs_is_in_the_table(keys: Keys, theirs: Iterable[str]) -> None:
    """A new one of theirs is a decision to take: honour it, or refuse it by its name."""
    assert {name for name in theirs if not name.startswith("_")} - set(keys) - {"model_type"} == set()


def test_every_key_of_their_pipelines_is_in_the_table() -> None:
    """What stands in `model_index.json`."""
    for pipeline in (diffusers.StableDiffusionPipeline, diffusers.StableDiffusionXLPipeline):
        assert _parameters(pipeline) - set(PIPELINE) == set()


def test_every_sampler_for_these_models_is_known() -> None:
    """Diffusers lists those that take each other's configs."""
    assert {kind.name for kind in KarrasDiffusionSchedulers} - {
        "IPNDMScheduler",
        "DPMSolverMultistepInverseScheduler",
    } <= CLASSES["scheduler"] | {"DDIMParallelScheduler", "DDPMParallelScheduler"}


def test_what_is_only_taken_at_some_values_says_why() -> None:
    """Or the sentence would end in nothing."""
    bounded = [key for keys in (UNET, VAE, SCHEDULER, TEXT_ENCODER, PIPELINE) for key in keys.values() if key.allowed]

    assert bounded
    assert all(key.reason for key in bounded)
