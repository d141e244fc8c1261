"""Our loss beside what diffusers' DreamBooth scripts compute for the same batch, noise and timesteps."""

import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr
from torch import Tensor
from torch.nn import functional

from pipeline.samplers.noise_schedule import NoiseSchedule
from pipeline.training.losses import preserving_loss, row_errors

ROWS = 3
CONFIG = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}


def scripts_loss(
    scheduler: DDPMScheduler,
    answers: Tensor,
    targets: Tensor,
    steps: Tensor,
    gamma: float | None,
    prior_weight: float | None,
) -> Tensor:
    """What train_dreambooth.py does with a batch whose second half are class images, weighted by the first half.

    The script itself takes the timesteps of both halves for the first, which is the known fault.
    """
    prior = torch.zeros(())
    if prior_weight is not None:
        (answers, prior_answers), (targets, prior_targets) = answers.chunk(2), targets.chunk(2)
        prior = prior_weight * functional.mse_loss(prior_answers, prior_targets)
        steps = steps.chunk(2)[0]
    if gamma is None:
        return functional.mse_loss(answers, targets) + prior
    snr = compute_snr(scheduler, steps)
    weights: Tensor = torch.minimum(snr, torch.full_like(snr, gamma)) / snr
    if scheduler.config.prediction_type == "v_prediction":
        weights = weights + 1
    errors = functional.mse_loss(answers, targets, reduction="none").mean(dim=(1, 2, 3))
    return (errors * weights).mean() + prior


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("gamma", [None, 5.0])
@pytest.mark.parametrize("prior_weight", [None, 0.7])
def test_equals_the_scripts(prediction: str, gamma: float | None, prior_weight: float | None) -> None:
    torch.manual_seed(0)
    rows = ROWS if prior_weight is None else 2 * ROWS
    clean, noise, answers = (torch.randn(rows, 4, 8, 8) for _ in range(3))
    steps = torch.randint(0, 1000, (rows,))
    scheduler = DDPMScheduler(**CONFIG, prediction_type=prediction)
    schedule = NoiseSchedule(scheduler.config)

    targets = scheduler.get_velocity(clean, noise, steps) if prediction == "v_prediction" else noise
    theirs = scripts_loss(scheduler, answers, targets, steps, gamma, prior_weight)
    errors = row_errors(answers, schedule.target(clean, noise, steps))
    ours = preserving_loss(errors, schedule.snr_weights(steps[:ROWS], gamma), prior_weight or 0.0)

    assert ours == pytest.approx(float(theirs), rel=1e-5)
    assert torch.equal(schedule.add_noise(clean, noise, steps), scheduler.add_noise(clean, noise, steps))


def test_the_classs_timesteps_weigh_nothing() -> None:
    """Min-SNR with prior preservation once took the weights of the class's rows for the instances'."""
    schedule = NoiseSchedule(CONFIG | {"prediction_type": "epsilon"})
    errors = torch.tensor([1.0, 1.0, 2.0, 2.0])
    weights = schedule.snr_weights(torch.tensor([10, 900]), 5.0)
    assert float(preserving_loss(errors, weights, 1.0)) == pytest.approx(float(weights.mean()) + 2.0)
    assert weights[0] < 0.1 < weights[1] == 1.0  # little noise counts less, much noise in full


def test_a_masked_part_teaches_nothing() -> None:
    torch.manual_seed(0)
    answers, targets = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    masks = torch.zeros(2, 1, 8, 8)
    masks[:, :, :4] = 1
    changed = answers.clone()
    changed[:, :, 4:] += 100
    assert torch.equal(row_errors(changed, targets, masks), row_errors(answers, targets, masks))
    torch.testing.assert_close(row_errors(answers, targets, masks), row_errors(answers[:, :, :4], targets[:, :, :4]))
