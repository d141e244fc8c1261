"""A whole training on tiny models with real architectures: it learns, goes on exactly, stops and reports."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from pipeline.errors import UserError
from pipeline.training.config import Method, OptimizerKind, Preservation, TrainingConfig
from pipeline.training.examples import group, image_examples, pick
from pipeline.training.model import TrainedModel, open_model
from pipeline.training.request import TrainingRequest
from pipeline.training.samples import class_examples
from pipeline.training.trainer import loss, train
from tests.pipeline.training.trainings import An, broken_off, done


def state(order: TrainingRequest) -> Iterator[Tensor]:
    """Every number that the end of a training leaves in its checkpoint, but the clock's."""
    kept = torch.load(order.folder / "checkpoint.pt", weights_only=True)
    yield from kept["weights"]
    yield from kept["average"] or ()
    for moments in kept["optimizer"]["state"].values():
        yield from (one for one in moments.values() if isinstance(one, Tensor))
    yield torch.tensor(kept["losses"])


WAYS: dict[str, dict[str, object]] = {
    "LoRA": {},
    "LoRA with text encoders": {"text_encoders": True, "accumulation": 2},
    "convolutions and DoRA": {"convolutions": True, "dora": True, "average": 0.9, "cooldown": 0.5},
    "Prodigy": {"optimizer": OptimizerKind.PRODIGY},
    "output preservation": {"preservation": Preservation.OUTPUT, "noise_offset": 0.05},
    "full": {"method": Method.FULL, "flips": True, "learning_rate": 1e-4},
    "SDXL": {"model": "speck"},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_training_that_was_cut_off_ends_as_an_undisturbed_one(an_order: An, way: str) -> None:
    whole, cut = (an_order(folder, steps=4, **WAYS[way]) for folder in ("whole", "cut"))
    said, report = done(whole)
    broken_off(cut, after=3)
    later, again = done(cut)
    assert [one.step for one in said] == [1, 2, 3, 4]
    assert [one.step for one in later] == [3, 4]
    pairs = zip(state(whole), state(cut), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    assert replace(again, seconds=0.0) == replace(report, seconds=0.0)
    for candidate in report.candidates:
        one, other = (load_file(order.folder / candidate.file) for order in (whole, cut))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_it_learns_what_it_is_shown(an_order: An) -> None:
    order = an_order(steps=20, look_every=4, keep_every=20, learning_rate=1e-2, settles=False)
    done(order)
    losses = torch.load(order.folder / "checkpoint.pt", weights_only=True)["losses"]
    assert losses[-1] < 0.95 * losses[0]


def test_enough_is_enough(an_order: An) -> None:
    order = an_order()
    said, report = done(order, enough_at=3)
    assert (said[-1].step, report.steps, report.settled) == (3, 3, False)
    assert [one.step for one in report.candidates] == [2, 3]


def test_a_finished_training_says_the_same_again(an_order: An) -> None:
    """The worker that had it may die before it could tell anybody."""
    order = an_order(steps=2)
    _, report = done(order)
    with pytest.raises(StopIteration) as end:
        next(train(order))
    assert replace(end.value.value, seconds=report.seconds) == report


@pytest.mark.usefixtures("without_numbers")
def test_a_loss_that_is_no_number_ends_it_at_once(an_order: An) -> None:
    order = an_order(steps=30, keep_every=50, preservation=Preservation.NONE)
    with pytest.raises(UserError, match="unstable"):
        done(order)
    assert not list(order.folder.glob("*.safetensors"))


def loss_of(model: TrainedModel, order: TrainingRequest, plan: TrainingConfig) -> Tensor:
    instances = pick(group(image_examples(model, order.images, plan)), plan.batch, torch.Generator().manual_seed(0))
    wants = plan.preservation is Preservation.CLASS_IMAGES
    classes = class_examples(model, plan, order.cache)[: plan.batch] if wants else []
    return loss(model, plan, instances, classes, torch.Generator().manual_seed(3)).detach()


def test_what_has_not_moved_preserves_its_output(an_order: An) -> None:
    """Output preservation adds nothing before the first step, since the LoRA changes nothing yet."""
    order = an_order(preservation=Preservation.OUTPUT)
    plain = an_order(preservation=Preservation.NONE)
    model = open_model(order.plan, "cpu")
    assert float(loss_of(model, order, order.plan)) == pytest.approx(float(loss_of(model, order, plain.plan)))
    for parameter in model.weights.parameters("unet"):
        torch.nn.init.normal_(parameter, std=0.3)
    assert float(loss_of(model, order, order.plan)) > float(loss_of(model, order, plain.plan)) * 1.01
