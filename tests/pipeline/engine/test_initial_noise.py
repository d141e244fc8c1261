"""The noise that an image begins with."""

from typing import Any

import pytest
import torch

from pipeline.engine.initial_noise import initial_noise
from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import MAX_VARIATIONS, Variation
from tests.fakes import request

SHAPE = (1, 4, 16, 16)


def _noise(**changes: Any) -> torch.Tensor:
    asked = request(**changes)
    return initial_noise(asked, SHAPE, torch.float32, torch.Generator().manual_seed(asked.seed))


def test_without_variations_it_is_the_seeds_own_bit_for_bit() -> None:
    """Every image made before variations existed stays as it was."""
    assert torch.equal(_noise(seed=7), torch.randn(SHAPE, generator=torch.Generator().manual_seed(7)))


def test_strength_goes_from_the_seed_to_the_other_seed() -> None:
    """Zero keeps the start, one gives the end, and the way between them is monotonous."""
    start, end = _noise(seed=7), _noise(seed=8)
    points = [_noise(seed=7, variations=(Variation(seed=8, strength=s),)) for s in (0.0, 0.15, 0.45, 1.0)]

    distances = [float((point - start).norm()) for point in points]
    assert torch.allclose(points[0], start, atol=1e-6)
    assert torch.allclose(points[-1], end, atol=1e-6)
    assert distances == sorted(distances)


def test_the_noise_stays_as_strong_as_noise_is() -> None:
    """A straight mixture would be weaker, and give a paler image."""
    halfway = _noise(seed=7, variations=(Variation(seed=8, strength=0.5),))

    assert float(halfway.std()) == pytest.approx(1.0, abs=0.05)


def test_variations_follow_one_another() -> None:
    """A variation of a variation starts from the latter's own noise."""
    once = (Variation(seed=8, strength=0.45),)
    twice = (*once, Variation(seed=9, strength=0.15))

    assert not torch.equal(_noise(seed=7, variations=once), _noise(seed=7, variations=twice))
    assert (_noise(variations=twice) - _noise(variations=once)).norm() < (_noise(variations=once) - _noise()).norm()


def test_later_draws_come_from_the_seed_alone() -> None:
    """Ancestral samplers draw on; a variation changes where the image starts and nothing else."""
    plain, varied = request(seed=7), request(seed=7, variations=(Variation(seed=8, strength=0.3),))
    generators = [torch.Generator().manual_seed(7) for _ in range(2)]
    for asked, generator in zip((plain, varied), generators, strict=True):
        initial_noise(asked, SHAPE, torch.float32, generator)

    assert torch.equal(*(torch.randn(4, generator=generator) for generator in generators))


def test_several_images_count_the_last_variations_seed() -> None:
    """The image that is varied stays the same one; what differs is where each goes from it."""
    asked = request(seed=7, count=3, variations=(Variation(seed=8, strength=0.3),))

    assert [(image.seed, image.variations[0].seed) for image in asked.images()] == [(7, 8), (7, 9), (7, 10)]


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_out_of_range_is_refused(strength: float) -> None:
    """The sentence names the limit."""
    with pytest.raises(InvalidRequest, match=r"variation strength is .*; use 0 to 1"):
        Variation(seed=1, strength=strength)


def test_too_many_variations_are_refused() -> None:
    """A chain of them is bounded, as everything is that a request may hold."""
    with pytest.raises(InvalidRequest, match="number of variations"):
        request(variations=(Variation(seed=1, strength=0.1),) * (MAX_VARIATIONS + 1))
