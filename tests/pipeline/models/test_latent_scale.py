"""The map between a VAE's latents and the denoiser's."""

import pytest
import torch

from pipeline.models.latent_scale import LatentScale

PLAIN = {"scaling_factor": 0.13025, "shift_factor": None, "latents_mean": None, "latents_std": None}
CENTRED = {"scaling_factor": 0.5, "latents_mean": [1.0, -2.0], "latents_std": [4.0, 8.0]}


def test_a_mean_and_a_deviation_count_for_each_channel() -> None:
    """As Playground 2.5 has them."""
    scale, latents = LatentScale(CENTRED), torch.tensor([5.0, 6.0]).reshape(1, 2, 1, 1)

    assert scale.normalized(latents).flatten().tolist() == [0.5, 0.5]
    assert scale.spread(latents).flatten().tolist() == [5 * 0.5 / 4, 6 * 0.5 / 8]


@pytest.mark.parametrize("config", [PLAIN, CENTRED, {**PLAIN, "shift_factor": 0.25}, {**CENTRED, "latents_std": None}])
def test_there_and_back_is_the_same(config: dict[str, object]) -> None:
    """In every form that a config may take."""
    scale, latents = LatentScale(config), torch.randn(1, 2, 3, 3, generator=torch.Generator().manual_seed(0))

    torch.testing.assert_close(scale.encoded(scale.normalized(latents)), latents)


def test_a_shift_comes_off_before_the_factor() -> None:
    """As diffusers does it."""
    shifted = LatentScale({**PLAIN, "shift_factor": 0.5})

    assert shifted.normalized(torch.tensor(1.5)).item() == pytest.approx(0.13025)
