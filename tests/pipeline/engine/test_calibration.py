"""What a device measures of itself when it starts."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from pipeline.engine.batch_state import RowMemory
from pipeline.engine.denoiser import Denoiser
from pipeline.engine.denoising_state import DenoisingState
from pipeline.engine.engine import Engine
from pipeline.requests.device_messages import Ready
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.step_cost import StepCost


def costs_of(spec: DeviceSpec) -> tuple[StepCost, ...]:
    ready = Engine(spec).step()[0]
    assert isinstance(ready, Ready)
    return ready.costs


@pytest.fixture
def spec(tmp_path: Path) -> DeviceSpec:
    return DeviceSpec(
        models=("pocket",), device="cpu", threads=1, max_rows=4, cache=tmp_path / "cache", calibration_seconds=600
    )


def test_steps_are_measured_by_rows_and_size(spec: DeviceSpec) -> None:
    """The model's own size and one smaller and one larger, every number of rows that a call may have."""
    costs = costs_of(spec)

    assert {(cost.model, cost.width, cost.height, cost.rows) for cost in costs} == {
        ("pocket", side, side, rows) for side in (64, 128, 192) for rows in (1, 2, 4)
    }
    assert all(cost.seconds > 0 for cost in costs)
    assert _seconds(costs, side=192, rows=4) > _seconds(costs, side=64, rows=1)


def _seconds(costs: Sequence[StepCost], *, side: int, rows: int) -> float:
    return next(cost.seconds for cost in costs if (cost.width, cost.rows) == (side, rows))


def test_the_next_start_on_the_same_device_remembers(spec: DeviceSpec) -> None:
    """To the digit; a damaged memory is measured again and mended."""
    first = costs_of(spec)
    assert spec.cache is not None
    (file,) = spec.cache.iterdir()

    assert costs_of(spec) == first

    file.write_text("{", encoding="utf-8")
    again = costs_of(spec)
    assert len(again) == len(first)
    assert costs_of(spec) == again


def test_what_does_not_fit_is_no_measure(spec: DeviceSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a start does not fail for it."""
    advance = Denoiser.advance

    def tight(denoiser: Denoiser, memory: RowMemory, renderings: Sequence[DenoisingState]) -> None:
        if memory.bucket > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        advance(denoiser, memory, renderings)

    monkeypatch.setattr(Denoiser, "advance", tight)

    assert {cost.rows for cost in costs_of(spec)} == {1, 2}


def test_a_device_that_is_not_to_measure_does_not(model_folder: Callable[[str], Path]) -> None:
    """As in a command that makes one image."""
    assert costs_of(DeviceSpec(models=(str(model_folder("nano")),), device="cpu", threads=1)) == ()
