"""What devices measured, on every database."""

import pytest

from pipeline.requests.step_cost import StepCost
from storage.database import Database
from storage.queue.key_values import KeyValues
from storage.queue.step_costs import StepCosts


@pytest.fixture
def costs(database: Database) -> StepCosts:
    return StepCosts(KeyValues(database))


def _cost(model: str, seconds: float) -> StepCost:
    return StepCost(model=model, width=64, height=64, rows=2, seconds=seconds)


async def test_the_newest_measures_of_a_model_predict(costs: StepCosts) -> None:
    """Each model's own; nothing is predicted where nothing was measured."""
    long_name = "m" * 200
    await costs.put([_cost("a", 1.0), _cost(long_name, 8.0)])
    await costs.put([_cost("a", 2.0)])

    assert await costs.row_seconds("a", 64 * 64) == 1.0
    assert await costs.row_seconds("a", 128 * 64) == 2.0
    assert await costs.row_seconds(long_name, 64 * 64) == 4.0
    assert await costs.row_seconds("b", 64 * 64) is None
