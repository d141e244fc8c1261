"""One request's walk from noise to an image: its place, what it remembers, and its next step."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from pipeline.requests.image_request import Scheduler
from pipeline.requests.spacing import Spacing
from pipeline.samplers.call import STAYS, Call, WeightedSum
from pipeline.samplers.euler import EulerNumbers, EulerSteps, euler_numbers
from pipeline.samplers.path import Path
from pipeline.samplers.rules import RULES, guess_of
from pipeline.samplers.spacing import path_of
from pipeline.transfer import to_device

# Those that diffusers begins with noise in units of the signal.
_BY_SIGMA: Final = frozenset(
    {Scheduler.EULER, Scheduler.EULER_A, Scheduler.HEUN, Scheduler.DPMPP_SDE, Scheduler.DPMPP_2S_A}
)
_CLIPS: Final = frozenset({Scheduler.DDIM, Scheduler.LCM, Scheduler.HEUN})


class Sampler:
    """One request's walk from noise to image; latents are float tensors (1, channels, height, width).

    Args:
        kind: the rule; `RULES` names the papers.
        config: the model's own scheduler config.
        steps: into how many the whole way is divided, at least 1.
        made: how many of them are walked, the last ones; None for all.
        spacing: of the steps.
        aligned: the published sigmas of the model's family for AYS.

    Attributes:
        kind: as given.
        prediction: what the denoiser answers, by diffusers' name.
        whole: whether all steps are walked.
        euler: the numbers of each call, where Euler's rule is the kind's; else empty.

    Raises:
        InvalidRequest: this kind cannot take so many steps.
    """

    def __init__(
        self,
        kind: Scheduler,
        config: Mapping[str, Any],
        steps: int,
        made: int | None = None,
        *,
        spacing: Spacing = Spacing.NORMAL,
        aligned: Sequence[float] = (),
    ) -> None:
        self.kind = kind
        whole = path_of(kind, spacing, config, steps, aligned)
        self._steps = steps if made is None else made
        self.whole = self._steps == steps
        self._path = Path(
            levels=whole.levels[steps - self._steps :], steps=steps, table=whole.table, options=whole.options
        )
        self.prediction = self._path.prediction
        trailing = spacing is Spacing.TRAILING or whole.options["timestep_spacing"] != "leading"
        self._at_sigma = trailing and kind in _BY_SIGMA
        self._clip = (
            float(whole.options["clip_sample_range"]) if kind in _CLIPS and whole.options["clip_sample"] else None
        )
        self.euler: list[EulerNumbers] = []
        self._plan: list[Call] = []
        if (rule := RULES.get(kind)) is None:
            sigmas = torch.tensor([level.sigma for level in self._path.levels], dtype=torch.float32)
            self.euler = euler_numbers(sigmas, ancestral=self.ancestral)
            pairs = enumerate(self._path.pairs)
            self._plan = [Call(step=step, level=here, after=STAYS) for step, (here, _) in pairs]
        else:
            self._plan = rule(self._path)
        self._longest = max(len(call.after.earlier) for call in self._plan)
        self._calls = 0
        self._base: Tensor | None = None
        self._earlier: list[Tensor] = []

    @property
    def ancestral(self) -> bool:
        """Whether it is the kind of Euler's rule that adds noise at every step."""
        return self.kind is Scheduler.EULER_A

    @property
    def finished(self) -> bool:
        """Whether the walk has ended."""
        return self._calls == len(self._plan)

    @property
    def progress(self) -> int:
        """How many of the walk's steps are done; some samplers call the denoiser twice for one."""
        return self._steps if self.finished else self._plan[self._calls].step

    @property
    def position(self) -> tuple[int, int]:
        """The number of the denoiser's next call, from 0, and how many there are."""
        return self._calls, len(self._plan)

    @property
    def timestep(self) -> Tensor:
        """Where the walk is: a scalar, 0 to 999, whole or not."""
        return torch.tensor(self._plan[self._calls].level.timestep)

    @property
    def noise_scale(self) -> float:
        """The standard deviation with which the walk begins."""
        first = self._path.levels[0]
        if not self.euler:
            return first.noise if self._at_sigma else 1.0
        # In float32, as diffusers computes it.
        sigma = torch.tensor(first.sigma, dtype=torch.float32)
        return float(sigma if self._at_sigma else (sigma**2 + 1) ** 0.5)

    def noised(self, clean: Tensor, noise: Tensor) -> Tensor:
        """Clean latents with as much noise as belongs to where the walk is, which must not be its end.

        Args:
            clean: latents of an image, scaled to unit variance.
            noise: standard normal, of the same shape.

        Returns:
            Latents as this kind walks them, which is not always at unit variance.
        """
        level = self._plan[self._calls].level
        return clean + level.sigma * noise if self.euler else level.signal * clean + level.noise * noise

    def model_input(self, latents: Tensor) -> Tensor:
        """Latents as the denoiser was trained to see them.

        Args:
            latents: where the walk is.

        Returns:
            The same at unit variance.
        """
        return self._euler_step(latents).model_inputs() if self.euler else latents

    def step(self, prediction: Tensor, latents: Tensor, generator: torch.Generator) -> Tensor:
        """Walk on by one call of the denoiser.

        Args:
            prediction: what the denoiser said of `model_input(latents)`.
            latents: where the walk is.
            generator: of the noise that some kinds add; it is drawn on the CPU on every device.

        Returns:
            The latents where the walk is now.
        """
        if self.euler:
            noise = _drawn(latents, generator) if self.ancestral else None
            moved = self._euler_step(latents).moved(prediction, noise)
        else:
            moved = self._planned_step(prediction, latents, generator)
        self._calls += 1
        return moved

    def _euler_step(self, latents: Tensor) -> EulerSteps:
        return EulerSteps([self.euler[self._calls]], latents, self.prediction)

    def _planned_step(self, prediction: Tensor, latents: Tensor, generator: torch.Generator) -> Tensor:
        call = self._plan[self._calls]
        own, answered = guess_of(self.kind, call.level, self.prediction)
        guess = _sum((own, latents), (answered, prediction))
        if self._clip is not None:
            guess = guess.clamp(-self._clip, self._clip)
        moved = self._summed(call.after, latents, prediction, guess)
        if call.after.noise:
            moved = moved + call.after.noise * _drawn(latents, generator)
        if call.base is not None:
            self._base = self._summed(call.base, latents, prediction, guess)
        if call.remembered:
            self._earlier = [guess, *self._earlier][: self._longest]
        return moved

    def _summed(self, weights: WeightedSum, latents: Tensor, answer: Tensor, guess: Tensor) -> Tensor:
        """All but the noise."""
        base = [] if self._base is None else [(weights.base, self._base)]
        earlier = zip(weights.earlier, self._earlier, strict=False)
        return _sum((weights.latents, latents), (weights.answer, answer), (weights.guess, guess), *base, *earlier)

    def count(self) -> None:
        """Walk on by a call of the denoiser whose step was computed with `euler`."""
        self._calls += 1

    def history(self) -> tuple[dict[str, Tensor], dict[str, int | None]]:
        """What the walk remembers from step to step.

        Returns:
            Tensors by name, and its plain numbers, with the calls made so far as `calls`.
        """
        tensors = {f"earlier.{index}": guess for index, guess in enumerate(self._earlier)}
        if self._base is not None:
            tensors["base"] = self._base
        return tensors, {"calls": self._calls, "earlier": len(self._earlier)}

    def restore(self, tensors: Mapping[str, Tensor], places: Mapping[str, int | None], device: torch.device) -> None:
        """Go to where `history` was taken, in a walk of the same kind, config, spacing and steps.

        Args:
            tensors: the history's.
            places: the history's plain numbers.
            device: where the latents are.

        Raises:
            ValueError: the history was written by a version that walked otherwise.
        """
        earlier = [f"earlier.{index}" for index in range(places.get("earlier") or 0)]
        if set(tensors) - {"base"} != set(earlier) or not (self.euler or "earlier" in places):
            raise ValueError("a snapshot is of another version")
        self._calls = places.get("calls") or 0
        self._earlier = [tensors[name].to(device) for name in earlier]
        self._base = tensors["base"].to(device) if "base" in tensors else None

    def denoised(self, prediction: Tensor, model_input: Tensor, timestep: float) -> Tensor:
        """What the image would be if the denoiser were right at once (Song et al., 2020, eq. 9): for previews.

        Args:
            prediction: what the denoiser said of `model_input`.
            model_input: the latents as it saw them.
            timestep: where the walk was then.

        Returns:
            Clean latents, of the same shape.
        """
        own, answered = self._path.table.at(timestep).image_of(self.prediction)
        return _sum((own, model_input), (answered, prediction))


def _sum(*parts: tuple[float, Tensor]) -> Tensor:
    """The sum of weighted tensors, in this order; what weighs nothing costs nothing."""
    weighed = [weight * tensor for weight, tensor in parts if weight]
    total = weighed[0]
    for part in weighed[1:]:
        total = total.add_(part)
    return total


def _drawn(like: Tensor, generator: torch.Generator) -> Tensor:
    return to_device(torch.randn(like.shape, generator=generator, dtype=like.dtype), like.device)
