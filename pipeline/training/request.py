"""One training as it is handed to its process."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.training.config import TrainingConfig

MIN_IMAGES: Final = 3
MAX_IMAGES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingImage:
    """An image to learn: `path` is a PNG as it will be used, upright and cropped, its transparency a mask of the loss.

    `caption` is its prompt, with {} for the instance prompt, such as "{} on a beach".
    """

    path: Path
    caption: str = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    """A training: what, from which images, where its `folder` is, and on which `device` (`auto`, `cpu`, `cuda:0`).

    The folder holds checkpoints; the same order in the same folder goes on from there. `cache` holds class images,
    shared by all trainings of the same class and model. While the device has images to make, the training takes
    `share` of the time, 0 to 1; alone it takes all.
    """

    plan: TrainingConfig
    images: tuple[TrainingImage, ...]
    folder: Path
    cache: Path
    device: str = "auto"
    share: float = 0.5
