"""Our loss beside what diffusers' DreamBooth scripts compute for the same batch, noise and timesteps."""

from collections.abc import Callable

import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr
from torch import Tensor
from torch.nn import functional

from pipeline.errors import UserError
from pipeline.samplers.noise_schedule import NoiseSchedule
from pipeline.training.config import Preservation, TrainingConfig
from pipeline.training.examples import group, image_examples, pick
from pipeline.training.losses import preserving_loss, row_errors
from pipeline.training.model import TrainedModel, open_model
from pipeline.training.request import TrainingRequest
from pipeline.training.samples import class_examples
from pipeline.training.trainer import loss

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


def model_of(order: TrainingRequest) -> TrainedModel:
    return open_model(order.plan, "cpu")


def loss_of(model: TrainedModel, order: TrainingRequest, plan: TrainingConfig) -> Tensor:
    instances = pick(group(image_examples(model, order.images, plan)), plan.batch, torch.Generator().manual_seed(0))
    wants = plan.preservation is Preservation.CLASS_IMAGES
    classes = class_examples(model, plan, order.cache)[: plan.batch] if wants else []
    return loss(model, plan, instances, classes, torch.Generator().manual_seed(3)).detach()


def test_what_has_not_moved_preserves_its_output(an_order: Callable[..., TrainingRequest]) -> None:
    """Output preservation adds nothing before the first step, since the LoRA changes nothing yet."""
    order = an_order(preservation=Preservation.OUTPUT)
    plain = an_order(preservation=Preservation.NONE)
    model = model_of(order)
    assert float(loss_of(model, order, order.plan)) == pytest.approx(float(loss_of(model, order, plain.plan)))
    for parameter in model.weights.parameters("unet"):
        torch.nn.init.normal_(parameter, std=0.3)
    assert float(loss_of(model, order, order.plan)) > float(loss_of(model, order, plain.plan)) * 1.01


def test_class_images_are_drawn_once(an_order: Callable[..., TrainingRequest]) -> None:
    order = an_order()
    model = model_of(order)
    first = class_examples(model, order.plan, order.cache)
    (file,) = order.cache.iterdir()
    before = file.stat().st_mtime_ns
    again = class_examples(model, order.plan, order.cache)
    assert all(torch.equal(one.mean, other.mean) for one, other in zip(first, again, strict=True))
    assert file.stat().st_mtime_ns == before


def test_class_images_that_are_no_images_are_not_kept(an_order: Callable[..., TrainingRequest]) -> None:
    """Or a model that was damaged once would spoil every training of that class from then on."""
    order = an_order()
    model = model_of(order)
    with torch.no_grad():
        model.unet.conv_out.bias.fill_(torch.nan)

    with pytest.raises(UserError, match="draws no picture of"):
        class_examples(model, order.plan, order.cache)

    assert not list(order.cache.glob("*"))
