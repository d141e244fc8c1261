"""One request between noise and image."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pipeline.control.residuals import Control
from pipeline.engine.inpaint_canvas import Canvas
from pipeline.engine.inpaint_mask import KeptLatents
from pipeline.lora.serving.adapter_pool import ScaledAdapter
from pipeline.lora.serving.request_parts import UNetParts
from pipeline.requests.image_request import ImageRequest
from pipeline.samplers.sampler import Sampler
from pipeline.text.conditioning import Conditioning


@dataclass(slots=True, kw_only=True)
class DenoisingState:
    """One request between noise and image.

    `latents` is (1, channels, height, width) in float32; they are replaced, never changed. `conditionings` are of
    each step, `parts` the UNet's LoRAs; `held` is what its rows have of both now; `rows` are its rows in the batch.
    `canvas` is what it is drawn over, `kept` the part of that which stays, `controls` what else it follows, `vae`
    what decodes it where that is not the model's own. `answer` is the denoiser's last, with the input and the
    timestep that it saw. `failure` is why its own part of a step failed, where the rest of the batch went on.
    """

    request: ImageRequest
    conditionings: tuple[Conditioning, ...]
    parts: UNetParts
    sampler: Sampler
    latents: Tensor
    generator: torch.Generator
    canvas: Canvas | None = None
    kept: KeptLatents | None = None
    controls: tuple[Control, ...] = ()
    vae: Any = None
    rows: tuple[int, ...] = ()
    held: tuple[Conditioning, tuple[ScaledAdapter, ...]] | None = None
    answer: tuple[Tensor, Tensor, float] | None = None
    failure: Exception | None = None

    @property
    def conditioning(self) -> Conditioning:
        """Of the next step; at the end, of the last."""
        return self.conditionings[min(self.sampler.progress, len(self.conditionings) - 1)]

    @property
    def active(self) -> tuple[ScaledAdapter, ...]:
        """The LoRAs of the next step."""
        return self.parts.at(self.sampler.progress)

    @property
    def current(self) -> bool:
        """Whether its rows have what the next step needs."""
        return self.held is not None and self.held[0] is self.conditioning and self.held[1] == self.active

    @property
    def guided(self) -> bool:
        """Whether the first of its rows is unconditional; not so where the model is told of the guidance."""
        return len(self.rows) > 1 + self.request.perturbed

    @torch.inference_mode()
    def denoised(self) -> Tensor:
        """The denoiser's last guess of the final latents; only after a step.

        Returns:
            Of the shape of the latents.
        """
        assert self.answer is not None, "a guess is asked for after a step"
        return self.sampler.denoised(*self.answer)

    def move(self, latents: Tensor | Exception) -> None:
        """Go on to what its sampler made of a step, but for what stays of the canvas.

        Args:
            latents: of its own shape, or why there are none, which is its failure.
        """
        if isinstance(latents, Exception):
            self.failure = latents
            return
        try:
            self.latents = latents if self.kept is None else self.kept.put_back(latents, self.sampler)
        except Exception as error:
            self.failure = error
