"""What is trained: it begins as the base, and can be taken back to it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.errors import UserError
from pipeline.training.config import Method
from pipeline.training.model import open_model
from pipeline.training.request import TrainingRequest
from tests.pipeline.models.published import PLAYGROUND_25
from tests.pipeline.models.variant_files import save_model
from tests.pipeline.training.passes import answer


@pytest.mark.parametrize(
    "changes", [{}, {"convolutions": True}, {"dora": True}, {"text_encoders": True}, {"method": Method.FULL}]
)
def test_begins_as_the_base_and_goes_back_to_it(
    an_order: Callable[..., TrainingRequest], changes: dict[str, object]
) -> None:
    model = open_model(an_order(**changes).plan, "cpu")
    untrained = answer(model)
    with model.weights.at(0.0):
        torch.testing.assert_close(answer(model), untrained, rtol=1e-5, atol=1e-6)
    for network in model.networks:
        for parameter in model.weights.parameters(network):
            nn.init.normal_(parameter, std=0.1)
    moved = answer(model)
    assert not torch.allclose(moved, untrained, rtol=0.01)
    with model.weights.at(0.0):
        torch.testing.assert_close(answer(model), untrained, rtol=1e-5, atol=1e-6)
    assert torch.equal(answer(model), moved)


def test_a_model_of_another_noise_is_not_trained(an_order: Callable[..., TrainingRequest], tmp_path: Path) -> None:
    """What the losses here ask of a denoiser is not what such a model answers."""
    plan = replace(an_order().plan, model=str(save_model(PLAYGROUND_25, tmp_path / "model")))

    with pytest.raises(UserError, match="choose another to train"):
        open_model(plan, "cpu")
