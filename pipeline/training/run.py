"""A training while it runs: the weights, their optimizer, how far it is; all that must survive a restart."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, assert_never

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from pipeline.errors import UserError
from pipeline.files import write_atomically
from pipeline.training.config import OptimizerKind, TrainingConfig
from pipeline.training.early_stopping import EarlyStopping
from pipeline.training.model import TrainedModel

_CHECKPOINT: Final = "checkpoint.pt"
CANDIDATES: Final = 3


@dataclass(slots=True, kw_only=True)
class Run:
    """`step` steps are done, in `seconds` of the device; `average` is the running mean of the weights, if there is one;
    `rates` are the learning rates before they cool down.

    `kept` are the steps whose weights lie in `folder`, spread over the run, the newest among them.
    """

    model: TrainedModel
    plan: TrainingConfig
    folder: Path
    optimizer: torch.optim.Optimizer
    parameters: list[nn.Parameter]
    average: list[Tensor] | None
    rates: list[float]
    step: int = 0
    seconds: float = 0.0
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)
    kept: tuple[int, ...] = ()

    @classmethod
    def open(cls, model: TrainedModel, plan: TrainingConfig, folder: Path) -> "Run":
        """Begin a training, or go on with it.

        Args:
            model: its trained weights become those of the checkpoint, where there is one.
            plan: must be the one that the checkpoint was made with.
            folder: holds the checkpoint and the kept weights.

        Returns:
            The run at the checkpoint's step, else at 0.
        """
        groups = [model.weights.parameters(network) for network in model.networks]
        parameters = [parameter for group in groups for parameter in group]
        average = [one.detach().clone() for one in parameters] if plan.average else None
        optimizer = _optimizer(plan, groups)
        run = cls(
            model=model,
            plan=plan,
            folder=folder,
            optimizer=optimizer,
            parameters=parameters,
            average=average,
            rates=[group["lr"] for group in optimizer.param_groups],
        )
        if (folder / _CHECKPOINT).exists():
            run._restore(_load(folder / _CHECKPOINT))
        return run

    def optimizer_step(self) -> bool:
        """Take the optimizer's step with the gradients that are there, and clear them.

        Returns:
            False, and nothing moved, if the gradients are not numbers.
        """
        norm = nn.utils.clip_grad_norm_(self.parameters, self.plan.largest_gradient)
        sane = bool(norm.isfinite())
        if sane:
            self._cool_down()
            self.optimizer.step()
            self._move_average()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return sane

    def save_checkpoint(self) -> None:
        """Put the weights by as a candidate, and everything in the checkpoint."""
        _save(self._weights(), self._path(self.step))
        self.kept = _spread((*self.kept, self.step))
        _save(self._state(), self.folder / _CHECKPOINT)
        for path in self.folder.glob("weights-*.pt"):
            if path not in {self._path(step) for step in self.kept}:
                path.unlink()

    @contextmanager
    def candidate(self, step: int) -> Iterator[None]:
        """Put the weights of a kept step in force inside this block.

        Args:
            step: one of `kept`.
        """
        with self._holding(_load(self._path(step))):
            yield

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The weights as a candidate would keep them, inside this block."""
        with self._holding(self._weights()):
            yield

    @contextmanager
    def _holding(self, weights: Sequence[Tensor]) -> Iterator[None]:
        before = [one.detach().clone() for one in self.parameters]
        self._put(weights)
        try:
            yield
        finally:
            self._put(before)

    @torch.no_grad()
    def _put(self, weights: Sequence[Tensor]) -> None:
        for parameter, value in zip(self.parameters, weights, strict=True):
            parameter.copy_(value)

    @torch.no_grad()
    def _move_average(self) -> None:
        if self.average is None:
            return
        # Early on the mean of what there is: a long memory would hold to the start.
        share = min(self.plan.average, (1 + self.step) / (10 + self.step))
        move = get_ema_multi_avg_fn(share)  # type: ignore[no-untyped-call]  # torch says no types of it
        move(self.average, self.parameters, None)

    def _cool_down(self) -> None:
        left = self.plan.steps - self.step
        share = min(1.0, left / max(1.0, self.plan.cooldown * self.plan.steps))
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * share

    def _weights(self) -> list[Tensor]:
        return [one.detach().clone() for one in (self.average or self.parameters)]

    def _path(self, step: int) -> Path:
        return self.folder / f"weights-{step}.pt"

    def _state(self) -> dict[str, Any]:
        return {
            "weights": [one.detach() for one in self.parameters],
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "losses": self.early_stopping.losses,
            "kept": list(self.kept),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self._put(state["weights"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.early_stopping = EarlyStopping(losses=state["losses"])
        self.kept = tuple(state["kept"])


def _optimizer(plan: TrainingConfig, groups: Sequence[list[nn.Parameter]]) -> torch.optim.Optimizer:
    """Over the UNet's parameters and, at their own rate, the text encoders'."""
    rates = [plan.learning_rate, *[plan.text_learning_rate] * (len(groups) - 1)]
    own = [{"params": group, "lr": rate} for group, rate in zip(groups, rates, strict=True)]
    match plan.optimizer:
        case OptimizerKind.ADAMW:
            return torch.optim.AdamW(own, weight_decay=plan.weight_decay)
        case OptimizerKind.ADAMW_8BIT:
            return _eight_bit(own, plan)
        case OptimizerKind.PRODIGY:
            # Loaded where it is asked for, as the one above: most trainings use neither.
            from prodigyopt import Prodigy  # noqa: PLC0415

            # It finds the rate by itself; what is given multiplies it.
            automatic: torch.optim.Optimizer = Prodigy(
                [one | {"lr": 1.0} for one in own], weight_decay=plan.weight_decay, safeguard_warmup=True
            )
            return automatic
        case never:
            assert_never(never)


def _eight_bit(own: list[dict[str, Any]], plan: TrainingConfig) -> torch.optim.Optimizer:
    try:
        from bitsandbytes.optim import AdamW8bit  # noqa: PLC0415
    except ImportError:
        raise UserError("8-bit AdamW needs bitsandbytes and CUDA: pip install 'limner[adamw8bit]'.") from None
    optimizer: torch.optim.Optimizer = AdamW8bit(own, weight_decay=plan.weight_decay)
    return optimizer


def _spread(steps: tuple[int, ...]) -> tuple[int, ...]:
    """The newest of `steps` and those that divide the way to it most evenly."""
    *earlier, last = steps
    wanted = [last * place / CANDIDATES for place in range(1, CANDIDATES)]

    def distance(chosen: tuple[int, ...]) -> float:
        return sum(abs(step - want) for step, want in zip(chosen, wanted, strict=False))

    few = min(len(earlier), CANDIDATES - 1)
    return (*min(itertools.combinations(earlier, few), key=distance), last)


def _save(value: object, path: Path) -> None:
    """There whole or not at all, whenever the machine stops."""
    # Through a file of Python's: torch's own writer does not say that the disk is full.
    with write_atomically(path) as partial, partial.open("wb") as file:
        torch.save(value, file)


def _load(path: Path) -> Any:
    return torch.load(path, weights_only=True)
