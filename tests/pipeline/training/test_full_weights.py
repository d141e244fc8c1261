"""Full fine-tuning: every weight learns."""

from collections.abc import Callable

from pipeline.training.config import Method
from pipeline.training.full_weights import FullWeights
from pipeline.training.model import open_model
from pipeline.training.request import TrainingRequest


def test_all_weights_learn_in_full_fine_tuning(an_order: Callable[..., TrainingRequest]) -> None:
    model = open_model(an_order(method=Method.FULL).plan, "cpu")
    assert isinstance(model.weights, FullWeights)
    assert sum(one.numel() for one in model.weights.parameters("unet")) == sum(
        one.numel() for one in model.unet.parameters()
    )
