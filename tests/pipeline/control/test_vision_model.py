"""Vision models from their folders, and images as they read them."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from transformers import DepthAnythingForDepthEstimation

from pipeline.control.vision_model import load_vision_model, vision_input, whole_patches
from tests.pipeline.tiny_annotators import tiny_depth


@pytest.mark.parametrize(
    ("height", "width", "expected"), [(100, 100, (518, 518)), (100, 200, (1036, 518)), (300, 100, (518, 1554))]
)
def test_the_shorter_side_is_the_wanted_one(height: int, width: int, expected: tuple[int, int]) -> None:
    """In whole patches, width first."""
    assert whole_patches(np.zeros((height, width, 3), np.uint8), 518, 14) == expected


def test_a_thin_image_has_a_patch() -> None:
    """However much longer its other side is."""
    width, height = whole_patches(np.zeros((1, 400, 3), np.uint8), 28, 56)

    assert height == 56
    assert width % 56 == 0


def test_colours_are_normalised_as_imagenets() -> None:
    """The mean colour is zero; red, which stands first, is above it where all of it is there."""
    mean = np.broadcast_to(np.array((124, 116, 104), np.uint8), (6, 8, 3))

    pixels = vision_input(mean, (4, 3))

    assert pixels.shape == (1, 3, 3, 4)
    assert float(pixels.abs().max()) < 0.01
    assert float(vision_input(np.full((6, 8, 3), 255, np.uint8), (4, 3))[0, 0].min()) == pytest.approx(2.249, abs=1e-3)


def test_a_file_without_all_weights_is_refused(tmp_path: Path) -> None:
    """Naming one that it lacks."""
    folder = tiny_depth(tmp_path)
    weights = load_file(folder / "model.safetensors")
    lost = min(name for name in weights if name.startswith("head."))
    del weights[lost]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(ValueError, match=lost):
        load_vision_model(DepthAnythingForDepthEstimation, folder)
