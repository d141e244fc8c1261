"""Measures at the start what a step costs this device, by rows and size, and keeps it for the next start."""

import hashlib
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import torch

from pipeline.engine.batch_scheduler import BUCKETS
from pipeline.engine.loaded_model import LoadedModel
from pipeline.memory import is_out_of_memory
from pipeline.models.device_timer import Span
from pipeline.models.hardware import Hardware
from pipeline.models.metadata import ModelFacts
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.image_request import MIN_SIZE, ImageRequest
from pipeline.requests.step_cost import StepCost

_log = logging.getLogger(__name__)

_SIDES: Final = (1.0, 0.5, 1.5)
"""The sizes to measure, in sides of the model's own; the most important first."""

_CALLS: Final = 2
"""How often each is measured after a first call that warms it up; the fastest counts."""


def calibrate(model: LoadedModel, hardware: Hardware, spec: DeviceSpec) -> tuple[StepCost, ...]:
    """The step costs of a model, from an earlier start on the same device or measured now.

    Args:
        model: to run.
        hardware: the device.
        spec: `calibration_seconds` is about the time that it takes at most, `cache` the folder for its results.

    Returns:
        Seconds of a step for each size and number of rows; sizes that do not fit in memory or in the time are left out.
    """
    remembered = None if spec.cache is None else spec.cache / f"steps-{_fingerprint(model.facts, hardware, spec)}.json"
    if remembered is not None and (costs := _read(remembered)):
        return costs
    if not spec.calibration_seconds:
        return ()
    costs = tuple(_measure(model, hardware, spec))
    for cost in costs:
        _log.info("%d rows of %d×%d: %.4f s a step", cost.rows, cost.width, cost.height, cost.seconds)
    if remembered is not None:
        _write(remembered, costs)
    return costs


def _measure(model: LoadedModel, hardware: Hardware, spec: DeviceSpec) -> Iterator[StepCost]:
    deadline = time.monotonic() + spec.calibration_seconds
    for side in _SIDES:
        last = 0.0
        for rows in (bucket for bucket in BUCKETS if bucket <= spec.max_rows):
            # Twice the rows take at most about twice the time.
            if time.monotonic() + (1 + _CALLS) * 2 * last > deadline:
                break
            request = _request(model.facts, side)
            try:
                last = _step_seconds(model, hardware, request, rows)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                hardware.release_unused()
                break
            yield StepCost(model=model.facts.name, width=request.width, height=request.height, rows=rows, seconds=last)


def _step_seconds(model: LoadedModel, hardware: Hardware, request: ImageRequest, rows: int) -> float:
    """The fastest of a few calls of `rows` rows without guidance."""
    memory = model.denoiser.open(rows, pages=0)
    renderings = [model.begin(replace(request, seed=seed), ()) for seed in range(rows)]
    for row, rendering in enumerate(renderings):
        model.denoiser.assign(memory, rendering, (row,))
    spans = []
    for _ in range(1 + _CALLS):
        with Span(hardware.device) as span:
            model.denoiser.advance(memory, renderings)
        spans.append(span)
    return min(span.seconds for span in spans[1:])


def _request(facts: ModelFacts, side: float) -> ImageRequest:
    width, height = (max(MIN_SIZE, int(length * side) // MIN_SIZE * MIN_SIZE) for length in (facts.width, facts.height))
    return ImageRequest(
        prompt="calibration", width=width, height=height, steps=2 + _CALLS, guidance_scale=1.0, seed=0, model=facts.name
    )


def _fingerprint(facts: ModelFacts, hardware: Hardware, spec: DeviceSpec) -> str:
    """What the measured times depend on."""
    factors = (
        facts.hash,
        hardware.name,
        hardware.dtype_name,
        spec.weights,
        spec.max_rows,
        spec.threads,
        torch.__version__,
    )
    return hashlib.sha256(json.dumps(factors).encode()).hexdigest()[:16]


def _read(path: Path) -> tuple[StepCost, ...]:
    try:
        return tuple(StepCost(**fields) for fields in json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError) as error:
        _log.warning("%s is measured again: %s", path.name, error)
        return ()


def _write(path: Path, costs: tuple[StepCost, ...]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.with_suffix(".new")
        written.write_text(json.dumps([asdict(cost) for cost in costs], indent=1), encoding="utf-8")
        written.replace(path)
    except OSError as error:
        _log.warning("what was measured is not remembered: %s", error)
