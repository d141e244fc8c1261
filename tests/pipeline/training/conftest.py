"""A tiny model that draws in two steps, and images to teach it."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.training.config import TrainingConfig
from pipeline.training.request import TrainingImage, TrainingRequest

SIDE = 64


@pytest.fixture(scope="session")
def pupil(model_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The text that names a tiny model for a training."""
    made: dict[str, str] = {}

    def of(name: str) -> str:
        if name not in made:
            folder = tmp_path_factory.mktemp("pupils") / name
            shutil.copytree(model_folder(name), folder)
            (folder / "limner.json").write_text(json.dumps({"steps": 2}))
            made[name] = str(folder)
        return made[name]

    return of


@pytest.fixture
def images(tmp_path: Path) -> tuple[TrainingImage, ...]:
    dice = np.random.default_rng(0)
    made = []
    for number in range(3):
        path = tmp_path / f"{number}.png"
        Image.fromarray(dice.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(path)
        made.append(TrainingImage(path=path))
    return tuple(made)


@pytest.fixture
def an_order(
    pupil: Callable[[str], str], images: tuple[TrainingImage, ...], tmp_path: Path
) -> Callable[..., TrainingRequest]:
    """An order of six steps that keeps its weights every two, in a `folder` of its own, with changes to its plan."""

    def of(folder: str = "run", model: str = "sd15", **changes: Any) -> TrainingRequest:
        fields: dict[str, Any] = {
            "model": pupil(model),
            "instance_prompt": "j dog",
            "class_prompt": "dog",
            "area": SIDE * SIDE,
            "steps": 6,
            "seed": 1,
            "rank": 4,
            "alpha": 4.0,
            "learning_rate": 1e-3,
            "batch": 2,
            "class_images": 2,
            "look_every": 2,
            "keep_every": 2,
            "templates": ("{}", "{} in the snow"),
        }
        plan = TrainingConfig(**{**fields, **changes})
        return TrainingRequest(
            plan=plan, images=images, folder=tmp_path / folder, cache=tmp_path / "cache", device="cpu"
        )

    return of


@pytest.fixture
def without_numbers(pupil: Callable[[str], str]) -> Iterator[None]:
    """The UNet of the model that `an_order` trains has no number left in it."""
    import torch  # noqa: PLC0415  slow
    from safetensors.torch import load_file, save_file  # noqa: PLC0415  loads torch

    weights = Path(pupil("sd15")) / "unet" / "diffusion_pytorch_model.safetensors"
    sound = load_file(weights)
    save_file({name: torch.full_like(tensor, torch.nan) for name, tensor in sound.items()}, weights)
    yield
    save_file(sound, weights)
