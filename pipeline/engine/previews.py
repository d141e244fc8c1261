"""Small images of unfinished latents: a linear projection fitted to the model's own VAE."""

import io
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from pipeline.models.checkpoint import Checkpoint
from pipeline.transfer import HostCopy

_SIDE = 64
_SAMPLES = 12
_MAX_PREVIEW_SIDE = 128
_JPEG_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Preview:
    """A small image, (height, width, 3) in uint8, and whether it was made of numbers, on its way to the host."""

    pixels: HostCopy
    sound: HostCopy

    def jpeg(self) -> bytes | None:
        """As a file; on any thread.

        Returns:
            A JPEG, enlarged by a whole factor where it is under 128 pixels; None rather than a black one.
        """
        if not self.sound.get():
            return None
        image = Image.fromarray(self.pixels.get().numpy())
        factor = max(1, _MAX_PREVIEW_SIDE // max(image.size))
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.BICUBIC)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=_JPEG_QUALITY)
        return file.getvalue()


class Previews:
    """A linear map from latents to colours, fitted to the model's own VAE.

    It is the least-squares solution for what the VAE's encoder makes of random smooth colour fields, each averaged over
    the pixels of one latent.

    Args:
        projection: (channels + 1, 3), the bias last.
    """

    def __init__(self, projection: Tensor) -> None:
        self._projection = projection

    @classmethod
    @torch.inference_mode()
    def fit(cls, checkpoint: Checkpoint) -> "Previews":
        """Fit to a VAE: a fraction of a second, and the same result each time.

        Args:
            checkpoint: whose VAE it is.

        Returns:
            The previews of its latents.
        """
        vae, hardware = checkpoint.vae, checkpoint.hardware
        generator = torch.Generator().manual_seed(0)
        coarse = torch.rand(_SAMPLES, 3, 6, 6, generator=generator) * 2 - 1
        pixels = functional.interpolate(coarse, size=(_SIDE, _SIDE), mode="bilinear")
        encoded = vae.encode(pixels.to(hardware.device, vae.dtype)).latent_dist.mode()
        latents = checkpoint.latent_scale.normalized(encoded)
        colours = functional.avg_pool2d(pixels, checkpoint.scale_factor)
        inputs = latents.float().cpu().movedim(1, -1).flatten(0, -2)
        inputs = torch.cat([inputs, torch.ones(len(inputs), 1)], dim=1)
        solution = torch.linalg.lstsq(inputs, colours.movedim(1, -1).flatten(0, -2)).solution
        return cls(solution.to(hardware.device))

    @torch.inference_mode()
    def preview(self, latents: Tensor) -> Preview:
        """The preview of denoised latents.

        Args:
            latents: (1, channels, height, width).

        Returns:
            Of height by width pixels.
        """
        weights, bias = self._projection[:-1], self._projection[-1]
        colours = latents[0].float().movedim(0, -1) @ weights + bias
        levels = ((colours / 2 + 0.5).clamp(0, 1) * 255).byte()
        return Preview(HostCopy(levels), HostCopy(torch.isfinite(colours).all()))
