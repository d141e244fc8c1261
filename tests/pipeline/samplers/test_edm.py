"""Models of EDM's noise beside diffusers' schedulers for them, with a denoiser that always knows the image."""

import pytest
import torch

from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import Scheduler
from pipeline.samplers.edm import EDM_CLASSES
from pipeline.samplers.noise_schedule import NoiseSchedule
from pipeline.samplers.sampler import Sampler
from tests.pipeline.models.published import EDM

STEPS = 8
KINDS = list(EDM_CLASSES)


def _sampler(kind: Scheduler, made: int | None = None) -> Sampler:
    return NoiseSchedule(EDM).sampler(kind, STEPS, made)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("made", [STEPS, 3])
def test_a_denoiser_that_knows_the_image_arrives_there(kind: Scheduler, made: int) -> None:
    """From noise and from a start image: the input has unit variance, the guess is the image at every step."""
    generator = torch.Generator().manual_seed(0)
    image = 0.5 * torch.randn(1, 4, 8, 8, generator=generator)
    noise = torch.randn(image.shape, generator=generator)
    sampler = _sampler(kind, made)
    latents = image + sampler.noise_scale * noise if sampler.whole else sampler.noised(image, noise)

    while not sampler.finished:
        seen, timestep = sampler.model_input(latents), float(sampler.timestep)
        sigma = torch.tensor(4 * timestep).exp()
        assert 0.5 < float(seen.std()) < 1.5
        root = (sigma**2 + 0.25) ** 0.5
        answer = (image - 0.25 / root**2 * latents) * root / (0.5 * sigma)
        torch.testing.assert_close(sampler.denoised(answer, seen, timestep), image, atol=2e-3, rtol=1e-3)
        latents = sampler.step(answer, latents, generator)

    torch.testing.assert_close(latents, image, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("made", [STEPS, 5])
def test_a_walk_goes_on_from_its_history_to_the_bit(kind: Scheduler, made: int) -> None:
    """In another process, from numbers and tensors alone."""
    generator = torch.Generator().manual_seed(0)
    answers = torch.randn(made, 1, 4, 4, 4, generator=generator)
    latents = 80 * torch.randn(1, 4, 4, 4, generator=generator)
    walked, resumed = _sampler(kind, made), _sampler(kind, made)
    for place, answer in enumerate(answers):
        if place == 3:
            resumed.restore(*walked.history(), device=torch.device("cpu"))
            again = latents
        if place >= 3:
            resumed.model_input(again)
            again = resumed.step(answer, again, generator)
        walked.model_input(latents)
        latents = walked.step(answer, latents, generator)

    assert torch.equal(latents, again)
    assert resumed.finished


@pytest.mark.parametrize("kind", [kind for kind in Scheduler if kind not in KINDS])
def test_a_sampler_that_knows_no_such_noise_is_refused(kind: Scheduler) -> None:
    """By its option, with those that do."""
    with pytest.raises(InvalidRequest, match=r"use euler or dpm\+\+2m") as refusal:
        _sampler(kind)

    assert refusal.value.field == "scheduler"
