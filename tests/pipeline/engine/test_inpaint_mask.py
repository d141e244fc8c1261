"""What a mask keeps of a start image, between two steps and after the last."""

import torch

from pipeline.engine.inpaint_mask import KeptLatents
from pipeline.requests.image_request import Scheduler
from pipeline.samplers.sampler import Sampler

CONFIG = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def test_the_kept_part_is_as_noisy_as_the_rest_and_clean_at_the_end() -> None:
    """The redrawn part is never touched."""
    generator = torch.Generator().manual_seed(0)
    clean, noise, latents = (torch.randn(1, 4, 4, 4, generator=generator) for _ in range(3))
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 2:] = 1
    kept = KeptLatents(clean=clean, noise=noise, mask=mask)
    sampler = Sampler(Scheduler.EULER, CONFIG, 3)

    strengths = []
    while not sampler.finished:
        put = kept.put_back(latents, sampler)
        assert torch.equal(put[..., :2], sampler.noised(clean, noise)[..., :2])
        assert torch.equal(put[..., 2:], latents[..., 2:])
        strengths.append(float((put - clean)[..., :2].norm()))
        sampler.step(torch.zeros_like(latents), latents, generator)

    assert strengths == sorted(strengths, reverse=True)
    assert torch.equal(kept.put_back(latents, sampler)[..., :2], clean[..., :2])
