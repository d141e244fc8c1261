"""How good weights are: those that changed nothing keep the class, and those that draw no image have no score."""

import pytest
import torch

from pipeline.training.evaluation import Evaluator
from pipeline.training.examples import image_examples
from pipeline.training.model import open_model
from tests.pipeline.training.trainings import An


def test_scores_tell_what_weights_did_to_the_class(an_order: An) -> None:
    order = an_order()
    model = open_model(order.plan, "cpu")
    evaluator = Evaluator.of(model, order.plan, image_examples(model, order.images, order.plan))
    untrained = evaluator.evaluate()
    for parameter in model.weights.parameters("unet"):
        torch.nn.init.normal_(parameter, std=0.3)
    moved = evaluator.evaluate()
    assert untrained is not None
    assert moved is not None
    assert untrained.kept == pytest.approx(1)
    assert moved.kept < 0.99

    for parameter in model.weights.parameters("unet"):
        torch.nn.init.constant_(parameter, torch.nan)
    assert evaluator.evaluate() is None
