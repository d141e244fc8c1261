"""Diffusers' own schedulers, one instance a request: its timesteps, its history, its place in both."""

import inspect
import math
from collections.abc import Mapping
from typing import Any, Final

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_ancestral_discrete import EulerAncestralDiscreteScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_heun_discrete import HeunDiscreteScheduler
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from torch import Tensor

from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import Scheduler
from pipeline.samplers.euler import PREDICTIONS, EulerNumbers, euler_numbers
from pipeline.samplers.host_scalars import host_scalars

# Each takes every option from the model's own scheduler config, as diffusers' `from_config` does: DPM++ 2M therefore
# spaces its sigmas after Karras et al. only where the model says so.
SCHEDULER_CLASSES: Final[Mapping[Scheduler, Any]] = {
    Scheduler.EULER: EulerDiscreteScheduler,
    Scheduler.EULER_A: EulerAncestralDiscreteScheduler,
    Scheduler.DPMPP_2M: DPMSolverMultistepScheduler,
    Scheduler.DDIM: DDIMScheduler,
    Scheduler.HEUN: HeunDiscreteScheduler,
    Scheduler.LCM: LCMScheduler,
    Scheduler.UNIPC: UniPCMultistepScheduler,
}
_TAKES_GENERATOR: Final = {
    kind: "generator" in inspect.signature(scheduler.step).parameters for kind, scheduler in SCHEDULER_CLASSES.items()
}

# What the schedulers change from step to step, by their own names.
_HISTORY: Final = (
    "_step_index",
    "model_outputs",
    "timestep_list",
    "lower_order_nums",
    "last_sample",
    "this_order",
    "prev_derivative",
    "dt",
    "sample",
)


class Sampler:
    """One request's walk from noise to image; latents are float tensors (1, channels, height, width).

    Args:
        kind: Karras et al., 2022 (Euler, Heun; arXiv 2206.00364), Lu et al., 2022 (DPM++ 2M; arXiv 2211.01095), Song et
            al., 2020 (DDIM; arXiv 2010.02502), Luo et al., 2023 (LCM; arXiv 2310.04378), or Zhao et al., 2023 (UniPC;
            arXiv 2302.04867).
        config: the model's own scheduler config.
        steps: into how many the whole way is divided, at least 1.
        made: how many of them are walked, the last ones; None for all.

    Attributes:
        kind: as given.
        prediction: what the denoiser answers, by diffusers' name.
        whole: whether all steps are walked.
        euler: the numbers of each call, where Euler's rule is the kind's; else empty.

    Raises:
        InvalidRequest: this kind cannot take so many steps.
    """

    def __init__(self, kind: Scheduler, config: Mapping[str, Any], steps: int, made: int | None = None) -> None:
        self.kind = kind
        self._scheduler = SCHEDULER_CLASSES[kind].from_config(config)
        self.prediction = str(self._scheduler.config.prediction_type)
        self._takes_generator = _TAKES_GENERATOR[kind]
        try:
            # On the CPU whatever the device: a sigma read from a GPU would make every step wait for it.
            self._scheduler.set_timesteps(steps, device="cpu")
        except ValueError as error:
            raise InvalidRequest("steps", f"{kind.value} cannot take {steps} steps; use fewer.") from error
        self._steps = steps if made is None else made
        self.whole = self._steps == steps
        skipped = (steps - self._steps) * self._scheduler.order
        if hasattr(self._scheduler, "set_begin_index"):
            self._scheduler.set_begin_index(skipped)
        self._timesteps: Tensor = self._scheduler.timesteps[skipped:]
        self._skipped = skipped
        self._calls = 0
        self.euler: list[EulerNumbers] = []
        if kind in {Scheduler.EULER, Scheduler.EULER_A} and self.prediction in PREDICTIONS:
            self.euler = euler_numbers(self._scheduler.sigmas[skipped:], ancestral=self.ancestral)

    @property
    def ancestral(self) -> bool:
        """Whether it is the kind of Euler's rule that adds noise at every step."""
        return self.kind is Scheduler.EULER_A

    @property
    def finished(self) -> bool:
        """Whether the walk has ended."""
        return self._calls == len(self._timesteps)

    @property
    def progress(self) -> int:
        """How many of the walk's steps are done; a second-order sampler calls the denoiser twice for most."""
        return self._calls * self._steps // len(self._timesteps)

    @property
    def position(self) -> tuple[int, int]:
        """The number of the denoiser's next call, from 0, and how many there are."""
        return self._calls, len(self._timesteps)

    @property
    def timestep(self) -> Tensor:
        """Where the walk is: a scalar, 0 to 999, whole or not."""
        timestep: Tensor = self._timesteps[self._calls]
        return timestep

    @property
    def noise_scale(self) -> float:
        """The standard deviation with which the walk begins."""
        return float(self._scheduler.init_noise_sigma)

    def noised(self, clean: Tensor, noise: Tensor) -> Tensor:
        """Clean latents with as much noise as belongs to where the walk is, which must not be its end.

        Args:
            clean: latents of an image, scaled to unit variance.
            noise: standard normal, of the same shape.

        Returns:
            Latents as this kind walks them, which is not always at unit variance.
        """
        # Of scalars on the CPU: with the latents' own device the scheduler would move its tables there each time.
        one, none, where = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), self.timestep[None]
        signal, share = self._scheduler.add_noise(one, none, where), self._scheduler.add_noise(none, one, where)
        mixed: Tensor = signal.squeeze() * clean + share.squeeze() * noise
        return mixed

    def model_input(self, latents: Tensor) -> Tensor:
        """Latents as the denoiser was trained to see them.

        Args:
            latents: where the walk is.

        Returns:
            The same at unit variance.
        """
        scaled: Tensor = self._scheduler.scale_model_input(latents, self.timestep)
        return scaled

    def step(self, prediction: Tensor, latents: Tensor, generator: torch.Generator) -> Tensor:
        """Walk on by one call of the denoiser.

        Args:
            prediction: what the denoiser said of `model_input(latents)`.
            latents: where the walk is.
            generator: of the noise that ancestral kinds add.

        Returns:
            The latents where the walk is now.
        """
        extra = {"generator": generator} if self._takes_generator else {}
        with host_scalars(latents.device):
            moved: Tensor = self._scheduler.step(prediction, self.timestep, latents, return_dict=False, **extra)[0]
        self._calls += 1
        return moved

    def count(self) -> None:
        """Walk on by a call of the denoiser whose step was computed with `euler`."""
        self._calls += 1
        self._scheduler._step_index = self._skipped + self._calls  # noqa: SLF001  what its own step would do

    def history(self) -> tuple[dict[str, Tensor], dict[str, int | None]]:
        """What the walk remembers from step to step.

        Returns:
            Tensors by name, and its plain numbers, with the calls made so far as `calls`.
        """
        tensors: dict[str, Tensor] = {}
        places: dict[str, int | None] = {"calls": self._calls}
        for name in _HISTORY:
            value = getattr(self._scheduler, name, None)
            for index, item in enumerate(value) if isinstance(value, list) else [(None, value)]:
                own = name if index is None else f"{name}.{index}"
                if isinstance(item, Tensor):
                    tensors[own] = item
                elif hasattr(self._scheduler, name):
                    places[own] = item
        return tensors, places

    def restore(self, tensors: Mapping[str, Tensor], places: Mapping[str, int | None], device: torch.device) -> None:
        """Go to where `history` was taken, in a walk of the same kind, config and steps.

        Args:
            tensors: the history's.
            places: the history's plain numbers.
            device: where the latents are.
        """
        for name, tensor in tensors.items():
            # What a scheduler keeps on the CPU are its own scalars; what has a shape is made of latents.
            self._remember(name, tensor.to(device) if tensor.ndim else tensor)
        for name, place in places.items():
            if name == "calls":
                self._calls = place or 0
            else:
                self._remember(name, place)

    def _remember(self, name: str, value: Tensor | int | None) -> None:
        own, _, index = name.partition(".")
        if index:
            getattr(self._scheduler, own)[int(index)] = value
        else:
            setattr(self._scheduler, own, value)

    def denoised(self, prediction: Tensor, model_input: Tensor, timestep: float) -> Tensor:
        """What the image would be if the denoiser were right at once (Song et al., 2020, eq. 9): for previews.

        Args:
            prediction: what the denoiser said of `model_input`.
            model_input: the latents as it saw them.
            timestep: where the walk was then.

        Returns:
            Clean latents, of the same shape.
        """
        alpha = float(self._scheduler.alphas_cumprod[round(timestep)])
        signal, noise = math.sqrt(alpha), math.sqrt(1 - alpha)
        match self.prediction:
            case "v_prediction":
                return signal * model_input - noise * prediction
            case "sample":
                return prediction
            case _:
                return (model_input - noise * prediction) / signal
