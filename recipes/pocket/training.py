"""One training run: steps from a plan, an average of the weights, and checkpoints from which a killed run goes on."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from recipes.pocket.muon import Muon
from recipes.pocket.run_folder import read, write

log = logging.getLogger(__name__)

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how fast to train: the rate rises over `warmup` steps and falls to zero over the last part."""

    steps: int
    batch: int
    rate: float
    warmup: int = 100
    cooldown: float = 0.4
    average: float = 0.998
    weight_decay: float = 0.01
    seed: int = 0
    save_seconds: float = 180

    def rate_at(self, step: int) -> float:
        """The learning rate of one step."""
        rise = min(1.0, (step + 1) / self.warmup)
        fall = min(1.0, (self.steps - step) / max(1.0, self.cooldown * self.steps))
        return self.rate * min(rise, fall)


class TrainingRun(Generic[Model]):
    """A model under training with its optimizers and its running average; all of it goes into a checkpoint."""

    def __init__(self, model: Model, plan: Plan, checkpoint: Path) -> None:
        self.model = model
        self.plan = plan
        self.step = 0
        self.average = torch.optim.swa_utils.AveragedModel(model, avg_fn=self._averaged, use_buffers=True)
        self._checkpoint = checkpoint
        self._optimizers = optimizers(model, plan)
        if checkpoint.exists():
            self._load(read(checkpoint))

    def run(self, loss_of: Callable[[torch.Generator], Tensor], on_save: Callable[[nn.Module], None]) -> nn.Module:
        """Trains to the plan's end and gives the averaged model; `on_save` sees it at every checkpoint."""
        saved, losses = time.monotonic(), []
        while self.step < self.plan.steps:
            losses.append(self._advance(loss_of))
            if time.monotonic() - saved > self.plan.save_seconds or self.step == self.plan.steps:
                mean = sum(losses) / len(losses)
                log.info("step %d of %d, loss %.5f", self.step, self.plan.steps, mean)
                self.save()
                on_save(self.average.module)
                saved, losses = time.monotonic(), []
        return self.average.module

    def _advance(self, loss_of: Callable[[torch.Generator], Tensor]) -> float:
        # The random numbers depend on the step only, so that a resumed run takes the same steps as any other.
        generator = torch.Generator().manual_seed(self.plan.seed * 1_000_003 + self.step)
        loss = loss_of(generator)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.plan.rate_at(self.step)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.average.update_parameters(self.model)
        self.step += 1
        return loss.item()

    def _averaged(self, average: Tensor, value: Tensor, count: Tensor | int) -> Tensor:
        decay = min(self.plan.average, (1 + int(count)) / (10 + int(count)))
        return average.lerp(value, 1 - decay) if average.is_floating_point() else value

    def save(self) -> None:
        """Writes the checkpoint."""
        state = {
            "step": self.step,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
        }
        write(state, self._checkpoint)

    def _load(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)


def optimizers(model: nn.Module, plan: Plan) -> list[torch.optim.Optimizer]:
    """Muon for the inner matrices; Adam for what is no matrix and for the layers at the edges."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        edge = "conv_in" in name or "conv_out" in name or "embedding" in name
        (others if edge or parameter.ndim < 2 else matrices).append(parameter)
    return [
        Muon(matrices, rate=plan.rate, weight_decay=plan.weight_decay),
        torch.optim.AdamW(others, lr=plan.rate, betas=(0.9, 0.99), weight_decay=0.0),
    ]
