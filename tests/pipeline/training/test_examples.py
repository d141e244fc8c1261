"""What is learnt from images: their prompts, masks and mirror images."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from pipeline.training.examples import image_examples
from pipeline.training.model import open_model
from pipeline.training.request import TrainingImage
from tests.pipeline.training.trainings import An


def test_transparency_masks_and_flips_mirror(an_order: An, tmp_path: Path) -> None:
    plan = an_order(flips=True).plan
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[:, :32] = (200, 30, 30, 255)
    path = tmp_path / "half.png"
    Image.fromarray(pixels).save(path)
    example, mirrored = image_examples(
        open_model(plan, "cpu"), (TrainingImage(path=path, caption="{} on a beach"),), plan
    )
    assert example.prompt == "j dog on a beach"
    assert example.mask is not None
    assert mirrored.mask is not None
    width = example.mask.shape[-1]
    assert bool((example.mask[..., : width // 2] == 1).all())
    assert not example.mask[..., width // 2 :].any()
    assert torch.equal(mirrored.mask, example.mask.flip(-1))
    assert not torch.equal(mirrored.mean, example.mean)
