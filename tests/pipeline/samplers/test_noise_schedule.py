"""Noise is taken out as it was mixed in, and weighs as the papers say."""

from typing import Any, Final

import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr
from torch import Tensor

from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import Scheduler
from pipeline.samplers.noise_schedule import NoiseSchedule

CONFIG: Final[dict[str, Any]] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
}


@pytest.fixture
def latents() -> tuple[Tensor, Tensor]:
    """Clean ones, and noise."""
    generator = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(1, 4, 8, 8, generator=generator) for _ in range(2))
    return clean, noise


@pytest.mark.parametrize("kind", Scheduler)
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_the_target_of_training_leads_a_walk_to_the_clean_image(
    kind: Scheduler, prediction: str, latents: tuple[Tensor, Tensor]
) -> None:
    """At whatever timestep: what `add_noise` mixes in, `target` tells and the walk's `denoised` takes out."""
    schedule, (clean, noise) = NoiseSchedule(CONFIG | {"prediction_type": prediction}), latents
    sampler = schedule.sampler(kind, 7)
    timesteps = sampler.timestep[None].long()

    noisy = schedule.add_noise(clean, noise, timesteps)
    denoised = sampler.denoised(schedule.target(clean, noise, timesteps), noisy)

    torch.testing.assert_close(denoised, clean, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_denoiser_that_is_always_right_ends_at_the_clean_image(
    prediction: str, latents: tuple[Tensor, Tensor]
) -> None:
    """All the way from where the walk begins, by the rule that adds no noise of its own."""
    schedule, (clean, noise) = NoiseSchedule(CONFIG | {"prediction_type": prediction}), latents
    sampler = schedule.sampler(Scheduler.EULER, 5, made=3)
    walked = sampler.noised(clean, noise)
    while not sampler.finished:
        target = schedule.target(clean, noise, sampler.timestep[None].long())
        walked = sampler.step(target, walked, torch.Generator())

    torch.testing.assert_close(walked, clean, rtol=1e-2, atol=1e-2)


def test_a_walk_that_a_kind_cannot_take_is_refused() -> None:
    """LCM was made for as many steps as it was distilled with."""
    with pytest.raises(InvalidRequest, match="cannot take 60 steps; use fewer"):
        NoiseSchedule(CONFIG).sampler(Scheduler.LCM, 60)


def test_velocities_without_a_floor_weigh_as_the_paper_says() -> None:
    """Its appendix on velocities."""
    schedule = NoiseSchedule(CONFIG | {"prediction_type": "v_prediction"})
    timesteps = torch.tensor([10, 300, 999])
    snr = compute_snr(DDPMScheduler(**CONFIG), timesteps)
    expected = torch.minimum(snr, torch.full_like(snr, 5.0)) / (snr + 1)

    torch.testing.assert_close(schedule.snr_weights(timesteps, 5.0, floor=False), expected)
