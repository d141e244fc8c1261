"""What the devices measured of their own steps, to predict jobs of which none like it was done yet."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import groupby
from typing import Final

from pydantic import TypeAdapter

from pipeline.requests.step_cost import StepCost, predict_row_seconds
from storage.queue.key_values import KeyValues

_COSTS: Final = TypeAdapter(tuple[StepCost, ...])


class StepCosts:
    """The newest measures of each model, whichever device they are from."""

    def __init__(self, key_values: KeyValues) -> None:
        self._key_values = key_values

    async def put(self, costs: Iterable[StepCost]) -> None:
        """Stores measures in place of earlier ones of the same models."""
        for model, of_model in groupby(sorted(costs, key=lambda cost: cost.model), key=lambda cost: cost.model):
            await self._key_values.put(_name(model), _COSTS.dump_json(tuple(of_model)).decode())

    async def row_seconds(self, model: str, pixels: int) -> float | None:
        """Predicted seconds for one row's step of an image of so many pixels; None if nothing was measured."""
        text = await self._key_values.get(_name(model))
        costs: Sequence[StepCost] = () if text is None else _COSTS.validate_json(text)
        return predict_row_seconds(costs, pixels)


def _name(model: str) -> str:
    return f"step costs {sha256(model.encode()).hexdigest()[:16]}"
