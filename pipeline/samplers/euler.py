"""Euler's rule for many walks in the same operations, as diffusers computes it for one: equal to the bit on a CPU."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.transfer import to_device

EulerNumbers = tuple[float, ...]
"""What one step of one walk is computed with, in the order of `euler_numbers`."""


def euler_numbers(sigmas: Tensor, *, ancestral: bool) -> list[EulerNumbers]:
    """The numbers of each step of a walk.

    Karras et al., 2022 (arXiv 2206.00364), algorithm 1 without its correction; with noise between the steps as
    Katherine Crowson's k-diffusion adds it.

    Args:
        sigmas: the noise before each step and after the last, in float32 on the CPU.
        ancestral: whether each step takes out more noise than it has to and adds some of its own.

    Returns:
        For each step: the model input's divisor, sigma, the change of sigma, the deviation of the noise that is added,
        and the two factors that a velocity's guess of the image is made with.
    """
    here, after = sigmas[:-1], sigmas[1:]
    added = torch.zeros_like(here)
    if ancestral:
        added = (after**2 * (here**2 - after**2) / here**2) ** 0.5
        after = (after**2 - added**2) ** 0.5
    power = here**2 + 1
    columns = (power**0.5, here, after - here, added, -here / power**0.5, power)
    return [tuple(row) for row in torch.stack(columns, dim=1).tolist()]


class EulerSteps:
    """One step of several walks of one kind; every operation is on each element by itself.

    Args:
        numbers: of each walk's step.
        latents: (walks, channels, height, width), where the walks are.
        prediction: what the denoiser answers, by diffusers' name.
    """

    def __init__(self, numbers: Sequence[EulerNumbers], latents: Tensor, prediction: str) -> None:
        columns = to_device(torch.tensor(numbers, dtype=torch.float32).T.contiguous(), latents.device)
        parts: Sequence[Tensor] = columns[..., None, None, None].unbind()
        self._divisor, self._sigma, self._change, self._added, self._factor, self._power = parts
        self._latents = latents
        self._prediction = prediction

    def model_inputs(self) -> Tensor:
        """Latents as the denoiser was trained to see them.

        Returns:
            Of the shape of the latents, at unit variance.
        """
        return self._latents / self._divisor

    def moved(self, predictions: Tensor, noise: Tensor | None) -> Tensor:
        """Where the walks are after the step.

        Args:
            predictions: what the denoiser said of `model_inputs`.
            noise: standard normal, of the same shape; None for a kind that adds none.

        Returns:
            Of the shape of the latents.
        """
        latents = self._latents
        # In place where the operand is no longer needed: large tensors cost as much to come by as to fill.
        match self._prediction:
            case "v_prediction":
                moved = (predictions * self._factor).add_(latents / self._power)
            case "sample":
                moved = predictions.clone()
            case _:
                moved = predictions * self._sigma
                torch.sub(latents, moved, out=moved)
        torch.sub(latents, moved, out=moved)
        moved.div_(self._sigma).mul_(self._change).add_(latents)
        return moved if noise is None else moved.add_(noise.mul_(self._added))
