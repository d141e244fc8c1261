"""Noise is taken out as it was mixed in, and weighs as the papers say."""

import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr
from torch import Tensor

from pipeline.errors import UserError
from pipeline.requests.image_request import Scheduler
from pipeline.samplers.noise_schedule import NoiseSchedule
from tests.pipeline.samplers.settings import CONFIG


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
    denoised = sampler.denoised(schedule.target(clean, noise, timesteps), noisy, float(sampler.timestep))

    torch.testing.assert_close(denoised, clean, rtol=1e-3, atol=1e-3)


def test_velocities_without_a_floor_weigh_as_the_paper_says() -> None:
    """Its appendix on velocities."""
    schedule = NoiseSchedule(CONFIG | {"prediction_type": "v_prediction"})
    timesteps = torch.tensor([10, 300, 999])
    snr = compute_snr(DDPMScheduler(**CONFIG), timesteps)
    expected = torch.minimum(snr, torch.full_like(snr, 5.0)) / (snr + 1)

    torch.testing.assert_close(schedule.snr_weights(timesteps, 5.0, floor=False), expected)


@pytest.mark.parametrize("config", [{"beta_schedule": "?"}, {"num_train_timesteps": "many"}])
def test_noise_that_nobody_knows_is_one_sentence(config: dict[str, object]) -> None:
    """At load, before anything is asked for."""
    with pytest.raises(UserError, match="describes no noise"):
        NoiseSchedule(config)
