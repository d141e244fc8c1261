"""A walk from noise ends at the image that the denoiser saw, or does not begin."""

import pytest
import torch
from torch import Tensor

from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import Scheduler
from pipeline.samplers.noise_schedule import NoiseSchedule
from tests.pipeline.samplers.settings import CONFIG


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


@pytest.mark.parametrize("kind", Scheduler)
def test_an_image_is_noised_as_diffusers_does_it(kind: Scheduler, latents: tuple[Tensor, Tensor]) -> None:
    """To the bit, before the first step of a walk that begins in the middle, and after it."""
    clean, noise = latents
    sampler = NoiseSchedule(CONFIG).sampler(kind, 6, made=4)
    for _ in range(2):
        expected = sampler._scheduler.add_noise(clean, noise, sampler.timestep[None])

        assert torch.equal(sampler.noised(clean, noise), expected)
        sampler.step(noise, sampler.noised(clean, noise), torch.Generator())
