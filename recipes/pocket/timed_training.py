"""Training that ends at a given moment: the learning rate falls to zero over the time left, on a GPU or a CPU."""

import copy
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from recipes.pocket.run_folder import read, write
from recipes.pocket.training import Plan, optimizers

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedPlan:
    """How fast to train, and the share of the time after which the rate falls to zero."""

    rate: float
    warmup: int = 60
    cooldown: float = 0.6
    average: float = 0.998
    save_seconds: float = 30
    log_every: int = 50

    def rate_at(self, step: int, passed: float) -> float:
        """The rate of the step when that share of the time has passed."""
        return self.rate * min((step + 1) / self.warmup, (1 - passed) / self.cooldown, 1.0)


Model = TypeVar("Model", bound=nn.Module)


class TimedTraining(Generic[Model]):
    """A model that computes in `dtype`, its weights in single precision, which optimizers move, and their average."""

    def __init__(self, model: Model, plan: TimedPlan, checkpoint: Path, dtype: torch.dtype) -> None:
        self.step = 0
        self._plan = plan
        self._checkpoint = checkpoint
        self.weights = model.float()
        self.average = copy.deepcopy(self.weights).requires_grad_(requires_grad=False)
        self.model = self.weights if dtype == torch.float32 else copy.deepcopy(self.weights).to(dtype)
        self._optimizers = optimizers(self.weights, Plan(steps=0, batch=0, rate=plan.rate))
        if checkpoint.exists():
            self._load(read(checkpoint))

    def run(
        self,
        loss_of: Callable[[], Tensor],
        seconds: float,
        losses: Path,
        on_save: Callable[[Model], object] = lambda _: None,
    ) -> Model:
        """Trains for so long and gives the averaged weights, which `on_save` sees at every checkpoint too.

        The loss is written now and then as a line of JSON.
        """
        start = saved = time.monotonic()
        first, sums = self.step, torch.zeros(())
        while (passed := (time.monotonic() - start) / seconds) < 1 or self.step == first:
            rate = self._plan.rate_at(self.step - first, min(passed, 1.0))
            sums = sums.to(loss := self._advance(loss_of, rate)) + loss
            if self.step % self._plan.log_every == 0:
                # Reading the loss waits for the device, which bounds how far its queue runs ahead of the clock.
                self._note(losses, seconds * passed, rate, sums.item() / self._plan.log_every)
                sums = torch.zeros(())
            if time.monotonic() - saved > self._plan.save_seconds:
                self.save()
                on_save(self.average)
                saved = time.monotonic()
        self.save()
        log.info("%s: %d steps in %.1f s", self._checkpoint.stem, self.step - first, time.monotonic() - start)
        return self.average

    def _note(self, losses: Path, seconds: float, rate: float, loss: float) -> None:
        line = {
            "stage": self._checkpoint.name.partition(".")[0],
            "step": self.step,
            "seconds": round(seconds, 2),
            "rate": rate,
            "loss": loss,
        }
        log.info("%s", line)
        losses.parent.mkdir(parents=True, exist_ok=True)
        with losses.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _advance(self, loss_of: Callable[[], Tensor], rate: float) -> Tensor:
        loss = loss_of()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        weights: list[Tensor] = list(self.weights.parameters())
        working: list[Tensor] = list(self.model.parameters())
        if self.model is not self.weights:
            for weight, copied in zip(weights, working, strict=True):
                weight.grad = None if copied.grad is None else copied.grad.float()
                copied.grad = None
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self._follow(weights, working)
        return loss.detach().float()

    @torch.no_grad()
    def _follow(self, weights: list[Tensor], working: list[Tensor]) -> None:
        decay = min(self._plan.average, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.average.parameters()), weights, 1 - decay)
        for kept, buffer in zip(self.average.buffers(), self.model.buffers(), strict=True):
            kept.copy_(buffer)
        if self.model is not self.weights:
            torch._foreach_copy_(working, weights)

    def save(self) -> None:
        """Writes the checkpoint."""
        parts = {"weights": self.weights, "average": self.average}
        state = {name: part.state_dict() for name, part in parts.items()}
        kept = [optimizer.state_dict() for optimizer in self._optimizers]
        write({"step": self.step, "optimizers": kept, **state}, self._checkpoint)

    def _load(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self.weights.load_state_dict(state["weights"])
        self.average.load_state_dict(state["average"])
        self.model.load_state_dict(state["weights"])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
