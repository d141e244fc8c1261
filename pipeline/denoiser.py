"""One checkpoint at work: begin a request's latents, advance many requests by one call, decode one picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.checkpoints import Checkpoint
from pipeline.image_request import ImageRequest
from pipeline.model_facts import ModelFamily
from pipeline.prompt_encoder import Conditioning
from pipeline.samplers import Sampler


@dataclass(slots=True, kw_only=True)
class Rendering:
    """One request between noise and picture.

    `latents` is (1, channels, height, width) in float32; `denoised` is the denoiser's last guess of their end.
    """

    request: ImageRequest
    conditioning: Conditioning
    sampler: Sampler
    latents: Tensor
    generator: torch.Generator
    denoised: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Denoiser:
    """The denoise and decode stages of one checkpoint."""

    checkpoint: Checkpoint

    def begin(self, request: ImageRequest, conditioning: Conditioning) -> Rendering:
        """The request at its first step: noise from its own seed, drawn on the CPU whatever the device."""
        sampler = Sampler(request.scheduler, self.checkpoint.scheduler_config, request.steps)
        generator = torch.Generator().manual_seed(request.seed)
        factor, hardware = self.checkpoint.scale_factor, self.checkpoint.hardware
        shape = (1, self.checkpoint.unet.config.in_channels, request.height // factor, request.width // factor)
        noise = torch.randn(shape, generator=generator, dtype=hardware.dtype).to(hardware.device, torch.float32)
        return Rendering(
            request=request,
            conditioning=conditioning,
            sampler=sampler,
            latents=noise * sampler.noise_scale,
            generator=generator,
        )

    @torch.inference_mode()
    def advance(self, renderings: Sequence[Rendering], bucket: int) -> None:
        """One denoiser call of `bucket` rows for all `renderings`, which have one latent size; then a step each."""
        inputs = [rendering.sampler.model_input(rendering.latents) for rendering in renderings]
        predictions = self._predict(renderings, inputs, bucket)
        rows = torch.split(predictions.float(), [rendering.conditioning.rows for rendering in renderings])
        for rendering, model_input, own in zip(renderings, inputs, rows, strict=True):
            prediction = guided(own, rendering.request)
            rendering.denoised = rendering.sampler.denoised(prediction, model_input)
            rendering.latents = rendering.sampler.step(prediction, rendering.latents, rendering.generator)

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Tensor:
        """The picture of one request's final latents: bytes (height, width, 3) on the CPU."""
        vae = self.checkpoint.vae
        pixels: Tensor = vae.decode((latents / vae.config.scaling_factor).to(vae.dtype), return_dict=False)[0]
        return ((pixels[0].float() / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu()

    def _predict(self, renderings: Sequence[Rendering], inputs: Sequence[Tensor], bucket: int) -> Tensor:
        """What the UNet says of every row; rows past those of `renderings` are padding and mean nothing."""
        dtype = self.checkpoint.hardware.dtype
        parts = [rendering.conditioning for rendering in renderings]
        latents = torch.cat([one.expand(part.rows, -1, -1, -1) for one, part in zip(inputs, parts, strict=True)])
        timesteps = torch.cat([r.sampler.timestep.float().expand(r.conditioning.rows) for r in renderings])
        added = None
        if self.checkpoint.facts.family is ModelFamily.SDXL:
            added = {
                "text_embeds": _padded([part.pooled for part in parts if part.pooled is not None], bucket),
                "time_ids": _padded([part.time_ids for part in parts if part.time_ids is not None], bucket),
            }
        prediction: Tensor = self.checkpoint.unet(
            _padded([latents.to(dtype)], bucket),
            _padded([timesteps], bucket).to(latents.device),
            encoder_hidden_states=_padded([part.states for part in parts], bucket),
            added_cond_kwargs=added,
            return_dict=False,
        )[0]
        return prediction[: latents.shape[0]]


def guided(rows: Tensor, request: ImageRequest) -> Tensor:
    """One prediction (1, ...) from a request's rows: Ho and Salimans, 2022 (arXiv 2207.12598).

    Its spread is brought back to that of the conditional row as Lin et al., 2023 (arXiv 2305.08891, eq. 15) do.
    """
    if rows.shape[0] == 1:
        return rows
    without, wanted = rows.chunk(2)
    mixed = without + request.guidance_scale * (wanted - without)
    if request.guidance_rescale == 0:
        return mixed
    dims = tuple(range(1, rows.ndim))
    rescaled = mixed * (wanted.std(dim=dims, keepdim=True) / mixed.std(dim=dims, keepdim=True))
    return request.guidance_rescale * rescaled + (1 - request.guidance_rescale) * mixed


def _padded(parts: Sequence[Tensor], bucket: int) -> Tensor:
    """The rows of `parts` below one another, then rows of zeros up to `bucket`."""
    rows = sum(part.shape[0] for part in parts)
    return torch.cat([*parts, parts[0].new_zeros(bucket - rows, *parts[0].shape[1:])])
