"""Previews: the colours of an image before it is decoded."""

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.engine.loaded_model import LoadedModel
from pipeline.engine.previews import Previews


@pytest.fixture
def previews(loaded_model: Callable[[str], LoadedModel]) -> Previews:
    return Previews.fit(loaded_model("pocket")._checkpoint)


@pytest.mark.parametrize("colour", [(220, 40, 40), (40, 200, 60), (30, 60, 210), (150, 150, 150)])
def test_a_plain_colour_is_about_that_colour(
    loaded_model: Callable[[str], LoadedModel], previews: Previews, colour: tuple[int, int, int]
) -> None:
    """By the latents that the model's own autoencoder has for it."""
    vae = loaded_model("pocket")._checkpoint.vae
    pixels = torch.tensor(colour).view(1, 3, 1, 1).expand(1, 3, 128, 128) / 127.5 - 1
    with torch.inference_mode():
        latents = vae.encode(pixels).latent_dist.mode() * vae.config.scaling_factor

    shown = np.asarray(Image.open(io.BytesIO(previews.preview(latents).jpeg() or b"")))

    assert np.abs(shown[32:-32, 32:-32].mean(axis=(0, 1)) - colour).max() < 40


@pytest.mark.parametrize(("height", "width", "size"), [(8, 8, (128, 128)), (16, 24, (120, 80)), (160, 96, (96, 160))])
def test_a_small_preview_is_enlarged(previews: Previews, height: int, width: int, size: tuple[int, int]) -> None:
    """By a whole factor, as far as a side of 128 pixels; a large one has a pixel for each latent."""
    latents = torch.zeros(1, 4, height, width)

    assert Image.open(io.BytesIO(previews.preview(latents).jpeg() or b"")).size == size


def test_there_is_no_preview_of_what_is_no_number(previews: Previews) -> None:
    """Rather than a black one."""
    latents = torch.zeros(1, 4, 8, 8)
    latents[0, 0, 0, 0] = float("nan")

    assert previews.preview(latents).jpeg() is None
