"""What a worker and a training's process say to each other: plain data, safe to pickle between processes."""

from dataclasses import dataclass

from pipeline.training.report import TrainingProgress, TrainingReport
from pipeline.training.request import TrainingRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPace:
    """How the training is to go on: beside a `busy` device it rests, `paused` it waits, `enough` ends it."""

    busy: bool = False
    paused: bool = False
    enough: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRefused:
    """The training cannot be done; `sentence` tells the member why."""

    sentence: str


TrainingMessage = TrainingRequest | TrainingPace | TrainingProgress | TrainingReport | TrainingRefused
