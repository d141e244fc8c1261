"""Whole trainings, and what they say."""

from collections.abc import Callable

from pipeline.training.report import TrainingProgress, TrainingReport
from pipeline.training.request import TrainingRequest
from pipeline.training.trainer import train

An = Callable[..., TrainingRequest]


def done(order: TrainingRequest, enough_at: int | None = None) -> tuple[list[TrainingProgress], TrainingReport]:
    """All that a training says."""
    said: list[TrainingProgress] = []
    training = train(order)
    try:
        said.append(next(training))
        while True:
            said.append(training.send(said[-1].step == enough_at))
    except StopIteration as end:
        return said, end.value


def broken_off(order: TrainingRequest, after: int) -> None:
    """Train so many steps, then vanish, as a killed process does."""
    training = train(order)
    for _ in range(after):
        next(training)
    training.close()
