"""What stands in a one-file checkpoint beside its weights."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from pipeline.errors import UserError
from pipeline.models.file_marks import check_marks, marked_sampler, scheduler_marks, vae_marks
from pipeline.requests.image_request import Scheduler

EMPTY = torch.tensor([])


@pytest.mark.parametrize(
    ("tensors", "metadata", "expected"),
    [
        ({}, {}, {}),
        ({}, {"modelspec.prediction_type": "epsilon"}, {}),
        ({}, {"modelspec.prediction_type": "v"}, {"prediction_type": "v_prediction"}),
        ({}, {"modelspec.prediction_type": "V-Prediction"}, {"prediction_type": "v_prediction"}),
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


def test_both_ends_of_an_edm_velocity_s_noise_are_read(tmp_path: Path) -> None:
    """CosXL's trainers write them."""
    ends = {"edm_vpred.sigma_max": torch.tensor(120.0), "edm_vpred.sigma_min": torch.tensor(0.01)}
    save_file(ends, tmp_path / "model.safetensors")

    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        marks = scheduler_marks(file)

    assert (marks["sigma_max"], marks["sigma_min"]) == (120.0, pytest.approx(0.01))
    assert marks["prediction_type"] == "v_prediction"


@pytest.mark.parametrize("stated", ["x0", "flow", "sample"])
def test_an_answer_that_nothing_follows_is_refused(stated: str) -> None:
    with pytest.raises(UserError, match=f"prediction type is '{stated}'"):
        check_marks("model.safetensors", {"modelspec.prediction_type": stated})


@pytest.mark.parametrize("stated", ["", "epsilon", "v", "V_Prediction"])
def test_an_answer_that_is_followed_is_taken(stated: str) -> None:
    check_marks("model.safetensors", {"modelspec.prediction_type": stated} if stated else {})


@pytest.mark.parametrize(
    ("names", "sampler"),
    [
        ({"edm_mean", "edm_std"}, Scheduler.DPMPP_2M),
        ({"edm_vpred.sigma_max"}, Scheduler.EULER),
        ({"v_pred"}, None),
    ],
)
def test_noise_of_its_own_brings_its_sampler(names: set[str], sampler: Scheduler | None) -> None:
    assert marked_sampler(names) is sampler
