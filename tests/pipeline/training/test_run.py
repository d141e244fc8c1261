"""A training while it runs: its last steps are as short as the plan says."""

import pytest
import torch

from tests.pipeline.training.trainings import An, done


@pytest.mark.parametrize(("cooldown", "share"), [(0.0, 1.0), (0.5, 0.5), (1.0, 0.25)])
def test_the_last_of_four_steps_is_as_short_as_the_plan_says(an_order: An, cooldown: float, share: float) -> None:
    order = an_order(steps=4, learning_rate=1e-3, settles=False, cooldown=cooldown)
    done(order)
    [group] = torch.load(order.folder / "checkpoint.pt", weights_only=True)["optimizer"]["param_groups"]
    assert group["lr"] == pytest.approx(1e-3 * share)
