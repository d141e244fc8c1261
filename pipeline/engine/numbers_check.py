"""Whether what an image is made of are still numbers: NaN and infinity would be a black square."""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from pipeline.engine.denoising_state import DenoisingState
from pipeline.errors import UserError
from pipeline.models.hardware import Hardware
from pipeline.requests.image_request import ImageRequest, LoraUse
from pipeline.transfer import HostCopy

_GREW: Final = "The numbers of this picture grew beyond all limits"
_HIGH_GUIDANCE: Final = 12.0
_WIDE: Final = frozenset({torch.float32, torch.bfloat16})
"""What holds every number that a model makes; float16 ends at 65,504."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersCheck:
    """Of one image's text, latents and pixels, whether all are numbers, on its way to the host."""

    request: ImageRequest
    hardware: Hardware
    broken: HostCopy

    @classmethod
    def of(cls, rendering: DenoisingState, hardware: Hardware, pixels: Tensor | None = None) -> "NumbersCheck":
        """Begin the check; nothing waits for the device.

        Args:
            rendering: a request after a step.
            hardware: that made it.
            pixels: whether the decoded image is sound, on the device; None before it is decoded.

        Returns:
            The check, which later steps do not change.
        """
        latents = rendering.latents
        text = torch.isfinite(rendering.conditioning.states).all().to(latents.device)
        decoded = torch.ones_like(text) if pixels is None else pixels
        broken = ~torch.stack([text, torch.isfinite(latents).all(), decoded])
        return cls(request=rendering.request, hardware=hardware, broken=HostCopy(broken))

    def confirm(self) -> None:
        """Wait for the check; on any thread.

        Raises:
            UserError: there are no numbers; names the likely cause.
        """
        text, latents, pixels = self.broken.get().tolist()
        if text:
            raise UserError(f"{_GREW} in the model's text encoder; {self._text_advice()}.")
        if latents:
            raise UserError(f"{_GREW} while it was made; {self._latents_advice()}.")
        if pixels:
            raise UserError(f"{_GREW} as {self._vae} decoded it; {self._pixels_advice()}.")

    def _text_advice(self) -> str:
        if lora := _strongest(self.request, text_encoder=True):
            return f"the likely cause is LoRA '{lora.name}' at {lora.effective_text_encoder_scale:g}; lower its scale"
        return f"the likely cause is {self._precision}; choose another model"

    def _latents_advice(self) -> str:
        if lora := _strongest(self.request):
            return f"the likely cause is LoRA '{lora.name}' at {lora.scale:g}; lower its scale"
        if strong := next((use for use in self.request.controls if use.scale > 1), None):
            return f"the likely cause is the control {strong.kind} at {strong.scale:g}; lower it"
        if self.request.guidance_scale > _HIGH_GUIDANCE:
            return f"the likely cause is the guidance of {self.request.guidance_scale:g}; lower it"
        return f"the likely cause is {self._precision}; choose another model, or lower the guidance"

    def _pixels_advice(self) -> str:
        if self.hardware.vae_dtype not in _WIDE:
            return (
                "the likely cause is that it runs in half precision (float16), which SDXL's own overflows; "
                "an admin can give the model a VAE made for that"
            )
        if lora := _strongest(self.request):
            return f"the likely cause is LoRA '{lora.name}' at {lora.scale:g}; lower its scale"
        instead = "choose another model" if self.request.vae is None else "leave out vae"
        return f"the likely cause is a damaged VAE or too much guidance; lower the guidance, or {instead}"

    @property
    def _vae(self) -> str:
        return "the model's VAE" if self.request.vae is None else f"the VAE '{self.request.vae}'"

    @property
    def _precision(self) -> str:
        return "damaged weights" if self.hardware.dtype in _WIDE else "half precision (float16)"


def _strongest(request: ImageRequest, *, text_encoder: bool = False) -> LoraUse | None:
    """The LoRA that is asked for most strongly."""
    scale = (lambda use: abs(use.effective_text_encoder_scale)) if text_encoder else (lambda use: abs(use.scale))
    return max(request.loras, key=scale, default=None)
