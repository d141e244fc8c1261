"""Images of the plain class are drawn once, and only by a model that can draw."""

from collections.abc import Callable

import pytest
import torch

from pipeline.errors import UserError
from pipeline.training.model import TrainedModel, open_model
from pipeline.training.request import TrainingRequest
from pipeline.training.samples import class_examples


def model_of(order: TrainingRequest) -> TrainedModel:
    return open_model(order.plan, "cpu")


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
