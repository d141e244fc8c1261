"""What stands in a one-file checkpoint beside its weights."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from pipeline.models.file_marks import scheduler_marks, vae_marks

EMPTY = torch.tensor([])


@pytest.mark.parametrize(
    ("tensors", "metadata", "expected"),
    [
        ({}, {}, {}),
        ({}, {"modelspec.prediction_type": "epsilon"}, {}),
        ({}, {"modelspec.prediction_type": "v"}, {"prediction_type": "v_prediction"}),
        ({"v_pred": EMPTY}, {}, {"prediction_type": "v_prediction"}),
        (
            {"v_pred": EMPTY, "ztsnr": EMPTY},
            {},
            {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True},
        ),
    ],
)
def test_marks_of_trainers_change_the_scheduler(
    tensors: dict[str, Tensor], metadata: dict[str, str], expected: dict[str, object], tmp_path: Path
) -> None:
    """Empty tensors, or the metadata that kohya's trainer writes."""
    save_file({"weight": torch.zeros(1), **tensors}, tmp_path / "model.safetensors", metadata)

    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        assert scheduler_marks(file) == expected
        assert vae_marks(file) == {}


def test_playground_names_the_mean_and_deviation_of_its_latents(tmp_path: Path) -> None:
    """And with them its own noise."""
    mean, deviation = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
    save_file({"edm_mean": mean.half(), "edm_std": deviation.half()}, tmp_path / "model.safetensors")

    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        assert vae_marks(file) == {"latents_mean": [1.0, 2.0], "latents_std": [3.0, 4.0], "scaling_factor": 0.5}
        assert scheduler_marks(file)["sigma_data"] == 0.5
