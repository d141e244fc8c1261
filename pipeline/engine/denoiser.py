"""One checkpoint at work: begin a request's latents, advance many requests by one call, decode one image."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor

from pipeline.control.residuals import Control, ControlledRow, Residuals, residuals_of, rows_of
from pipeline.engine.batch_state import RowMemory
from pipeline.engine.compile.captured_call import CapturedCall
from pipeline.engine.compile.forward import CompiledForward, Forward, ForwardInputs
from pipeline.engine.denoising_state import DenoisingState
from pipeline.engine.guidance import guided
from pipeline.engine.initial_noise import initial_noise
from pipeline.engine.inpaint_canvas import Canvas
from pipeline.engine.inpaint_mask import KeptLatents
from pipeline.errors import InvalidRequest
from pipeline.families.registry import FAMILIES
from pipeline.lora.serving.adapter_pool import Adapter, AdapterPool
from pipeline.lora.serving.pages import PAGE_RANK
from pipeline.lora.serving.request_parts import UNetParts
from pipeline.memory import is_out_of_memory
from pipeline.models.attention import install
from pipeline.models.checkpoint import Checkpoint
from pipeline.models.hardware import Placement
from pipeline.models.latent_scale import LatentScale
from pipeline.models.row_effects import Effects, RowEffects
from pipeline.requests.image_request import ImageRequest
from pipeline.samplers.noise_schedule import NoiseSchedule
from pipeline.samplers.sampler import Sampler
from pipeline.samplers.walks import Walks
from pipeline.text.conditioning import Conditioning
from pipeline.transfer import to_device

_log = logging.getLogger(__name__)
# A side of 1,536 pixels with the usual eightfold VAE; the decoder's activations outgrow a UNet's beyond it.
_LARGEST_UNTILED: Final = 192 * 192


@dataclass(frozen=True, slots=True)
class Decoded:
    """An image on the device: `pixels` (height, width, 3) in uint8, and whether all were numbers before, in one."""

    pixels: Tensor
    sound: Tensor


class Denoiser:
    """The denoise and decode stages of one checkpoint.

    Args:
        checkpoint: on its device.
        adapters: the pool that holds the LoRAs' weights.
        graphs: run calls as CUDA graphs where the device has them.
    """

    def __init__(self, checkpoint: Checkpoint, adapters: AdapterPool, *, graphs: bool = False) -> None:
        self._checkpoint = checkpoint
        aligned = FAMILIES[checkpoint.facts.family].aligned_sigmas
        self._schedule = NoiseSchedule(checkpoint.scheduler_config, aligned)
        self._adapters = adapters
        self._attention = install(checkpoint.unet)
        self._effects = RowEffects(checkpoint.unet)
        self.forward = Forward(checkpoint.unet, adapters.networks["unet"].banks, self._attention)
        # Weights that visit the device layer by layer are never twice in the same place.
        graphs = graphs and checkpoint.home is Placement.DEVICE and checkpoint.hardware.device.type == "cuda"
        self._graphs = torch.cuda.graph_pool_handle() if graphs else None

    @torch.inference_mode()
    def begin(
        self,
        request: ImageRequest,
        conditionings: tuple[Conditioning, ...],
        adapters: Sequence[Adapter],
        canvas: Canvas | None = None,
        controls: tuple[Control, ...] = (),
        *,
        vae: Any = None,
    ) -> DenoisingState:
        """A request at its first step: noise from its own seed, drawn on the CPU on every device, so that a seed means
        the same everywhere.

        Args:
            request: one image.
            conditionings: of its prompts at each step that is made.
            adapters: its LoRAs, in the request's order.
            canvas: what it is drawn over; then it begins where the start image's strength says, as diffusers'
                pipelines do.
            controls: in the request's order.
            vae: encodes and decodes its pixels; None for the model's own.

        Returns:
            The state before the first step; it has no rows yet.

        Raises:
            InvalidRequest: the model has no attention that could be perturbed.
        """
        if request.perturbed and not self._effects.can_perturb:
            raise InvalidRequest("pag", "This model has no attention in its middle, which pag needs; leave pag out.")
        sampler = self._schedule.sampler(request.scheduler, request.steps, request.steps_made, request.spacing)
        generator = torch.Generator().manual_seed(request.seed)
        clean = None if canvas is None else self._encode(canvas.pixels(), generator, vae or self._checkpoint.vae)
        noise = self._noise(request, generator)
        kept = None if canvas is None or clean is None else self._kept(canvas, clean, noise, generator)
        return DenoisingState(
            request=request,
            conditionings=conditionings,
            parts=UNetParts.of(request, adapters, self._checkpoint.facts.family),
            sampler=sampler,
            latents=_first_latents(clean, noise, sampler, from_noise=kept is not None and sampler.whole),
            generator=generator,
            canvas=canvas,
            kept=kept,
            controls=controls,
            vae=vae,
        )

    def _noise(self, request: ImageRequest, generator: torch.Generator) -> Tensor:
        factor, hardware = self._checkpoint.scale_factor, self._checkpoint.hardware
        shape = (1, self._checkpoint.unet.config.in_channels, request.height // factor, request.width // factor)
        return to_device(initial_noise(request, shape, hardware.dtype, generator), hardware.device, torch.float32)

    def _encode(self, pixels: Tensor, generator: torch.Generator, vae: Any) -> Tensor:
        """The latents of an image (1, 3, height, width), drawn from what the autoencoder says of it."""
        pixels = to_device(pixels, self._checkpoint.hardware.device, vae.dtype)
        drawn: Tensor = vae.encode(pixels).latent_dist.sample(generator).float()
        return LatentScale(vae.config).normalized(drawn).contiguous()

    def _kept(self, canvas: Canvas, clean: Tensor, noise: Tensor, generator: torch.Generator) -> KeptLatents | None:
        mask = canvas.latent_mask(self._checkpoint.scale_factor)
        if mask is None:
            return None
        # diffusers draws once more here, for what only UNets made for inpainting read.
        torch.randn(clean.shape, generator=generator, dtype=self._checkpoint.hardware.vae_dtype)
        return KeptLatents(clean=clean, noise=noise, mask=to_device(mask, noise.device))

    def open(self, bucket: int, pages: int, compiled: CompiledForward | None = None, *, own: bool = False) -> RowMemory:
        """The memory of a new batch.

        Args:
            bucket: its rows.
            pages: of LoRAs that a row may have.
            compiled: the forward that runs it, for these sizes; None runs it eagerly.
            own: run layers request by request, each on its own weights where its LoRAs need them.

        Returns:
            With all rows free.
        """
        captured = None if self._graphs is None else CapturedCall(self._graphs)
        return RowMemory(
            self._adapters, self._attention, bucket=bucket, pages=pages, own=own, compiled=compiled, captured=captured
        )

    @torch.inference_mode()
    def assign(self, memory: RowMemory, rendering: DenoisingState, rows: tuple[int, ...]) -> None:
        """Give a request its rows in a batch.

        Args:
            memory: of the batch.
            rendering: the request.
            rows: free ones, or its own; as many as its conditioning has.
        """
        rendering.rows, rendering.held = rows, (rendering.conditioning, rendering.active)
        memory.put(rows, *rendering.held)

    @torch.inference_mode()
    def advance(self, memory: RowMemory, renderings: Sequence[DenoisingState]) -> None:
        """One denoiser call for several requests, and one step of each one's own sampler.

        Where the call fails, nothing has changed; where one request's own step fails, that is its `failure`.

        Args:
            memory: of the batch in which they have their rows.
            renderings: requests of one latent size; they are changed in place.
        """
        for rendering in renderings:
            # Where a LoRA's window begins or ends, or a prompt changes.
            if not rendering.current:
                self.assign(memory, rendering, rendering.rows)
        samplers = [rendering.sampler for rendering in renderings]
        walks = Walks(samplers, [rendering.latents for rendering in renderings])
        timesteps = [float(sampler.timestep) for sampler in samplers]
        inputs = walks.model_inputs()
        rows = self._predict(memory, renderings, inputs, timesteps).float()
        predictions = guided(
            rows,
            [rendering.request for rendering in renderings],
            [sampler.progress for sampler in samplers],
            distilled=self._checkpoint.guidance_width is not None,
        )
        moved = walks.step(predictions, [rendering.generator for rendering in renderings])
        for rendering, own, seen, latents, timestep in zip(
            renderings, torch.split(predictions, 1), inputs, moved, timesteps, strict=True
        ):
            rendering.answer = own, seen, timestep
            rendering.move(latents)

    @torch.inference_mode()
    def decode(self, latents: Tensor, vae: Any = None) -> Decoded:
        """The image of final latents; in overlapping tiles where it is large, or where memory was too short for one
        piece.

        Args:
            latents: (1, channels, height, width).
            vae: None for the model's own.

        Returns:
            Its pixels.

        Raises:
            RuntimeError: the device failed, or its memory is too short even for tiles.
            MemoryError: the host's memory is.
        """
        vae = vae or self._checkpoint.vae
        if latents.shape[-1] * latents.shape[-2] > _LARGEST_UNTILED:
            return self._decode_in_tiles(latents, vae)
        try:
            return self._decode(latents, vae)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        _log.warning("out of memory while decoding; in tiles it takes less")
        self._checkpoint.hardware.release_unused()
        return self._decode_in_tiles(latents, vae)

    def _decode_in_tiles(self, latents: Tensor, vae: Any) -> Decoded:
        vae.enable_tiling()
        try:
            return self._decode(latents, vae)
        finally:
            vae.disable_tiling()

    def _decode(self, latents: Tensor, vae: Any) -> Decoded:
        encoded = LatentScale(vae.config).encoded(latents)
        pixels: Tensor = vae.decode(encoded.to(vae.dtype), return_dict=False)[0]
        levels = ((pixels[0].float() / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
        return Decoded(levels, torch.isfinite(pixels).all())

    def _predict(
        self, memory: RowMemory, renderings: Sequence[DenoisingState], inputs: Sequence[Tensor], steps: Sequence[float]
    ) -> Tensor:
        """What the UNet says of every row of `renderings`, in their order."""
        rows = tuple(rendering.rows for rendering in renderings)
        latents, timesteps = memory.feed(rows, inputs, steps)
        if (compiled := memory.compiled) is not None:
            read = memory.inputs(latents, timesteps, memory.halves(self.forward.changed))
            answers = memory.run(partial(memory.call, compiled, read))
        else:
            effects = _effects(renderings)
            residuals = residuals_of(_controlled(renderings), latents, timesteps, memory.conditioning)
            call = partial(self._call, memory, latents, timesteps, residuals, effects)
            answers = call() if residuals or effects else memory.run(call)
        # A copy, since answers are reused.
        return memory.taken(rows, answers)

    def _call(
        self,
        memory: RowMemory,
        latents: Tensor,
        timesteps: Tensor,
        residuals: Residuals | None,
        effects: Effects,
    ) -> Tensor:
        conditioning = memory.conditioning
        added = {"text_embeds": conditioning.pooled, "time_ids": conditioning.time_ids}
        with memory.applied(), self._effects.applied(effects):
            prediction: Tensor = self._checkpoint.unet(
                latents,
                timesteps,
                timestep_cond=conditioning.guidance,
                encoder_hidden_states=conditioning.states,
                added_cond_kwargs=added,
                down_block_additional_residuals=residuals and residuals.down,
                mid_block_additional_residual=residuals and residuals.mid,
                # The UNet takes them off the list as it goes.
                down_intrablock_additional_residuals=residuals and residuals.inner and list(residuals.inner),
                return_dict=False,
            )[0]
        return prediction

    @torch.inference_mode()
    def sizes(self, memory: RowMemory, height: int, width: int) -> ForwardInputs:
        """What a compiled forward of a batch would read.

        Args:
            memory: of the batch.
            height: in latents.
            width: in latents.

        Returns:
            Tensors of the right sizes; some are on the meta device and hold no numbers.
        """
        unet, dtype = self._checkpoint.unet, self._checkpoint.hardware.dtype
        latents = torch.empty(memory.bucket, unet.config.in_channels, height, width, dtype=dtype, device="meta")
        timesteps = torch.empty(memory.bucket, device="meta")
        rank = 0 if memory.own else memory.pages * PAGE_RANK
        return memory.inputs(latents, timesteps, self.forward.halves(memory.bucket, rank, dtype) if rank else [])


def _controlled(renderings: Sequence[DenoisingState]) -> list[ControlledRow]:
    return [
        each
        for rendering in renderings
        for each in rows_of(rendering.controls, rendering.rows, rendering.sampler.position, guided=rendering.guided)
    ]


def _effects(renderings: Sequence[DenoisingState]) -> Effects:
    return Effects(
        perturbed=tuple(rendering.rows[-1] for rendering in renderings if rendering.request.perturbed),
        freeu={
            row: rendering.request.freeu
            for rendering in renderings
            if rendering.request.freeu is not None
            for row in rendering.rows
        },
    )


def _first_latents(clean: Tensor | None, noise: Tensor, sampler: Sampler, *, from_noise: bool) -> Tensor:
    """Noise alone, or the start with as much of it as its strength says.

    With `from_noise` nothing of the start shines through: diffusers does so where all that a mask lets change is new.
    """
    return noise * sampler.noise_scale if clean is None or from_noise else sampler.noised(clean, noise)
