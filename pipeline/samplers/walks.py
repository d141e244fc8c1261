"""Several walks taken one step further at once: those of one kind together where its rule allows it."""

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor

from pipeline.samplers.euler import EulerSteps
from pipeline.samplers.sampler import Sampler
from pipeline.transfer import to_device


class Walks:
    """The walks of one call of the denoiser, each at its own place; a walk's numbers do not depend on the others.

    Args:
        samplers: of the walks, in the order in which all else is given and returned.
        latents: where each walk is, (1, channels, height, width).
    """

    def __init__(self, samplers: Sequence[Sampler], latents: Sequence[Tensor]) -> None:
        self._samplers = samplers
        self._latents = latents
        alike = sorted((place for place, own in enumerate(samplers) if own.euler), key=self._kind)
        self._together = [(places, self._euler(places)) for _, own in groupby(alike, self._kind) for places in [[*own]]]
        self._alone = [place for place, own in enumerate(samplers) if not own.euler]

    def _kind(self, place: int) -> str:
        return self._samplers[place].kind

    def _euler(self, places: Sequence[int]) -> EulerSteps:
        samplers = [self._samplers[place] for place in places]
        numbers = [own.euler[own.position[0]] for own in samplers]
        return EulerSteps(numbers, _joined([self._latents[place] for place in places]), samplers[0].prediction)

    def model_inputs(self) -> list[Tensor]:
        """Latents as the denoiser was trained to see them.

        Returns:
            Each walk's, at unit variance.
        """
        inputs = {place: self._samplers[place].model_input(self._latents[place]) for place in self._alone}
        for places, steps in self._together:
            inputs |= zip(places, torch.split(steps.model_inputs(), 1), strict=True)
        return [inputs[place] for place in range(len(self._samplers))]

    def step(self, predictions: Tensor, generators: Sequence[torch.Generator]) -> list[Tensor | Exception]:
        """Walk on by one call of the denoiser.

        Args:
            predictions: what the denoiser said of `model_inputs`, (walks, channels, height, width).
            generators: of the noise that ancestral kinds add.

        Returns:
            The latents where each walk is now, or why it came no further, which holds up no other.
        """
        rows = torch.split(predictions, 1)
        moved: dict[int, Tensor | Exception] = {}
        # First what may fail for all: then no walk has been counted further.
        for places, steps in self._together:
            noise = self._noise(places, generators)
            own = predictions if len(places) == len(rows) else _joined([rows[place] for place in places])
            moved |= zip(places, torch.split(steps.moved(own, noise), 1), strict=True)
        for place in moved:
            self._samplers[place].count()
        for place in self._alone:
            try:
                moved[place] = self._samplers[place].step(rows[place], self._latents[place], generators[place])
            except Exception as error:
                moved[place] = error
        return [moved[place] for place in range(len(self._samplers))]

    def _noise(self, places: Sequence[int], generators: Sequence[torch.Generator]) -> Tensor | None:
        """Drawn on the CPU, from each walk's own generator."""
        if not self._samplers[places[0]].ancestral:
            return None
        like = self._latents[0]
        drawn = [torch.randn(like.shape, generator=generators[place], dtype=like.dtype) for place in places]
        return to_device(_joined(drawn), like.device)


def _joined(rows: Sequence[Tensor]) -> Tensor:
    return rows[0] if len(rows) == 1 else torch.cat(list(rows))
