"""Models trained with the noise and the preconditioning of Karras et al., 2022 (EDM; arXiv 2206.00364)."""

import inspect
from collections.abc import Mapping
from typing import Any, Final

import torch
from diffusers.schedulers.scheduling_edm_dpmsolver_multistep import EDMDPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_edm_euler import EDMEulerScheduler
from torch import Tensor

from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import Scheduler
from pipeline.requests.spacing import Spacing
from pipeline.samplers.sampler import Sampler

EDM_CLASSES: Final[Mapping[Scheduler, Any]] = {
    Scheduler.EULER: EDMEulerScheduler,
    Scheduler.DPMPP_2M: EDMDPMSolverMultistepScheduler,
}
"""Diffusers' schedulers for such models, by the samplers whose rule they follow."""

_OUTPUTS: Final = "model_outputs"
_ORDER: Final = "lower_order_nums"


def is_edm(config: Mapping[str, Any]) -> bool:
    """Whether a model was trained so.

    Args:
        config: the model's own scheduler config.

    Returns:
        Whether it names one of diffusers' EDM schedulers.
    """
    return config.get("_class_name") in {kind.__name__ for kind in EDM_CLASSES.values()}


class EdmSampler(Sampler):
    """One request's walk through such noise, by diffusers' own scheduler; its spacing is the model's.

    Args:
        kind: one of EDM_CLASSES.
        config: the model's own scheduler config.
        steps: into how many the whole way is divided, at least 1.
        made: how many of them are walked, the last ones; None for all.
        spacing: the model's own, which is normal.

    Raises:
        InvalidRequest: no scheduler follows this rule, or takes this spacing, through such noise.
    """

    def __init__(
        self,
        kind: Scheduler,
        config: Mapping[str, Any],
        steps: int,
        made: int | None = None,
        *,
        spacing: Spacing = Spacing.NORMAL,
    ) -> None:
        if spacing is not Spacing.NORMAL:
            raise InvalidRequest("spacing", "This model spaces its steps by its own kind of noise (EDM); use normal.")
        if kind not in EDM_CLASSES:
            names = " or ".join(own.value for own in EDM_CLASSES)
            raise InvalidRequest("scheduler", f"This model is drawn by its own kind of noise (EDM); use {names}.")
        options = inspect.signature(EDM_CLASSES[kind]).parameters
        self.kind = kind
        self._scheduler = EDM_CLASSES[kind](**{name: value for name, value in config.items() if name in options})
        # On the CPU whatever the device: a sigma read from a GPU would make every step wait for it.
        self._scheduler.set_timesteps(steps, device="cpu")
        self._steps = steps if made is None else made
        self._skipped = steps - self._steps
        self._scheduler.set_begin_index(self._skipped)
        self._calls = 0
        self.whole = self._skipped == 0
        self.prediction = str(self._scheduler.config.prediction_type)
        self.euler = []

    @property
    def finished(self) -> bool:
        """Whether the walk has ended."""
        return self._calls == self._steps

    @property
    def progress(self) -> int:
        """How many of the walk's steps are done."""
        return self._calls

    @property
    def position(self) -> tuple[int, int]:
        """The number of the denoiser's next call, from 0, and how many there are."""
        return self._calls, self._steps

    @property
    def timestep(self) -> Tensor:
        """Where the walk is: a quarter of the logarithm of its noise."""
        timestep: Tensor = self._scheduler.timesteps[self._skipped + self._calls]
        return timestep

    @property
    def noise_scale(self) -> float:
        """The standard deviation with which the walk begins."""
        return float(self._scheduler.init_noise_sigma)

    @property
    def _sigma(self) -> Tensor:
        sigma: Tensor = self._scheduler.sigmas[self._skipped + self._calls]
        return sigma

    def noised(self, clean: Tensor, noise: Tensor) -> Tensor:
        """Clean latents with as much noise as belongs to where the walk is, which must not be its end.

        Args:
            clean: latents of an image, scaled to the deviation that the model was trained with.
            noise: standard normal, of the same shape.

        Returns:
            Latents as this kind walks them.
        """
        return clean + self._sigma * noise

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
            generator: of the noise that stochastic solvers add.

        Returns:
            The latents where the walk is now.
        """
        answer = self._scheduler.step(prediction, self.timestep, latents, generator=generator, return_dict=False)
        self._calls += 1
        moved: Tensor = answer[0]
        return moved

    def history(self) -> tuple[dict[str, Tensor], dict[str, int | None]]:
        """What the walk remembers from step to step.

        Returns:
            Tensors by name, and its plain numbers.
        """
        outputs = enumerate(getattr(self._scheduler, _OUTPUTS, ()))
        tensors = {f"{_OUTPUTS}.{index}": output for index, output in outputs if output is not None}
        return tensors, {"calls": self._calls, _ORDER: getattr(self._scheduler, _ORDER, None)}

    def restore(self, tensors: Mapping[str, Tensor], places: Mapping[str, int | None], device: torch.device) -> None:
        """Go to where `history` was taken, in a walk of the same kind, config and steps.

        Args:
            tensors: the history's.
            places: the history's plain numbers.
            device: where the latents are.
        """
        self._calls = places["calls"] or 0
        # As its own steps would have left it.
        self._scheduler._step_index = self._skipped + self._calls  # noqa: SLF001
        self._scheduler.is_scale_input_called = True
        if (order := places[_ORDER]) is not None:
            self._scheduler.lower_order_nums = order
        for name, tensor in tensors.items():
            self._scheduler.model_outputs[int(name.partition(".")[2])] = tensor.to(device)

    def denoised(self, prediction: Tensor, model_input: Tensor, timestep: float) -> Tensor:
        """What the image would be if the denoiser were right at once: for previews.

        Args:
            prediction: what the denoiser said of `model_input`.
            model_input: the latents as it saw them.
            timestep: where the walk was then.

        Returns:
            Clean latents, of the same shape.
        """
        sigma = torch.tensor(4 * timestep, dtype=torch.float32).exp()
        latents = model_input * (sigma**2 + self._scheduler.config.sigma_data**2) ** 0.5
        clean: Tensor = self._scheduler.precondition_outputs(latents, prediction, sigma)
        return clean
