"""A model in memory with its three stages: encode, denoise, decode."""

import threading
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from torch import Tensor

from pipeline.control.models import ControlLibrary
from pipeline.control.residuals import Control
from pipeline.engine.batch_state import RowMemory
from pipeline.engine.compile.compilation import Compilation
from pipeline.engine.denoiser import Denoiser
from pipeline.engine.denoising_state import DenoisingState
from pipeline.engine.finished_image import FinishedImage
from pipeline.engine.inpaint_canvas import NO_IMAGES, Canvas
from pipeline.engine.numbers_check import NumbersCheck
from pipeline.engine.previews import Preview, Previews
from pipeline.images.metadata import ImageMetadata
from pipeline.lora.serving.adapter_pool import Adapter, AdapterPool
from pipeline.lora.serving.layers import adapt
from pipeline.lora.serving.loader import LoraLibrary
from pipeline.models.checkpoint import load_checkpoint
from pipeline.models.file_hash import FileHashes
from pipeline.models.hardware import Hardware, Placement
from pipeline.models.offload import place
from pipeline.models.quantization import quantize
from pipeline.models.source import ModelSource
from pipeline.models.textual_inversion import make_teachable
from pipeline.models.vae_library import VaeLibrary
from pipeline.models.vaes import Vaes
from pipeline.requests.batch_key import BatchKey, Shape
from pipeline.requests.device_spec import DeviceSpec, Weights
from pipeline.requests.image_request import MIN_SIZE, ImageRequest
from pipeline.text.prompt_encoder import PromptEncoder
from pipeline.transfer import HostCopy

_DECIDING_PACKAGES: Final = ("limner", "torch", "diffusers", "transformers")


class LoadedModel:
    """All that turns requests for one model into images.

    Args:
        source: where the model lies; it must be on this machine.
        hardware: the device.
        spec: what else the device is told: weights, LoRAs, controls, limits of memory.

    Raises:
        UserError: the model cannot be loaded.
    """

    def __init__(self, source: ModelSource, hardware: Hardware, spec: DeviceSpec) -> None:
        self._checkpoint = checkpoint = load_checkpoint(source, hardware)
        self.facts = checkpoint.facts
        self._weights = spec.weights
        networks = {"unet": adapt(checkpoint.unet)}
        networks.update((encoder.network, adapt(encoder.model)) for encoder in checkpoint.text_encoders)
        for encoder in checkpoint.text_encoders:
            make_teachable(encoder.tokenizer, encoder.model)
        if spec.weights is Weights.FP8:
            quantize(checkpoint.unet, hardware)
        if checkpoint.home is Placement.HOST:
            place(checkpoint)
        self._adapters = AdapterPool(networks, hardware.device, hardware.dtype, spec.device_lora_bytes)
        self.loras = LoraLibrary(spec, self._adapters, hardware)
        self._encoder = PromptEncoder(
            self.facts.family,
            checkpoint.text_encoders,
            self._adapters,
            zero_empty_negative=checkpoint.zero_empty_negative,
            guidance_width=checkpoint.guidance_width,
        )
        self._previews = Previews.fit(checkpoint)
        own = path / "controls" if (path := source.local_path()).is_dir() else None
        self.controls = ControlLibrary(checkpoint, spec.controls, own, spec.control_bytes)
        self.vaes = VaeLibrary(checkpoint, Vaes(folder=spec.vaes))
        self.denoiser = Denoiser(checkpoint, self._adapters, graphs=spec.graphs)
        self.compilation: Compilation | None = None
        if spec.compile and checkpoint.home is Placement.DEVICE:
            self.compilation = Compilation(self.denoiser.forward, hardware.device, cache=spec.cache)
        self._memories: dict[BatchKey, RowMemory] = {}
        self._hashes = FileHashes(spec.cache)
        if self.facts.file is not None:
            # Before the first image asks for it.
            threading.Thread(target=self._file_hash, name="hash", daemon=True).start()

    @property
    def scale_factor(self) -> int:
        """Pixels of a side for each latent of a side."""
        return self._checkpoint.scale_factor

    def shape(self, request: ImageRequest, adapters: Sequence[Adapter] = ()) -> Shape:
        """The shape of a request: requests of equal shapes may share a call.

        Args:
            request: one image.
            adapters: its LoRAs, whose words may lengthen its texts.

        Returns:
            Its size in latents and the length of its texts.

        Raises:
            InvalidRequest: a text is too long.
        """
        factor = self.scale_factor
        return Shape(
            checkpoint=self.facts.name,
            height=request.height // factor,
            width=request.width // factor,
            windows=self._encoder.windows(request, adapters),
        )

    def begin(
        self,
        request: ImageRequest,
        adapters: Sequence[Adapter],
        controls: tuple[Control, ...] = (),
        images: Mapping[str, bytes] = NO_IMAGES,
        *,
        vae: Any = None,
    ) -> DenoisingState:
        """The encode stage.

        Args:
            request: one image.
            adapters: its LoRAs, in its order.
            controls: in its order.
            images: the bytes of the images that it is made from, by key.
            vae: what it is decoded with; None for the model's own.

        Returns:
            The request before its first step.

        Raises:
            InvalidRequest: an image cannot be read, or the mask is empty.
        """
        conditionings = self._encoder.encode_steps(request, adapters)
        return self.denoiser.begin(request, conditionings, adapters, Canvas.of(request, images), controls, vae=vae)

    def memory(self, key: BatchKey) -> RowMemory:
        """What the rows of a group keep, made when it is first needed.

        Args:
            key: of the group.

        Returns:
            The same object until `forget`.
        """
        if key not in self._memories:
            compiled = self.compilation.forward(key) if self.compilation and key.compiled else None
            self._memories[key] = self.denoiser.open(key.bucket, key.pages, compiled, own=key.own_weights)
        return self._memories[key]

    def rows(self, request: ImageRequest) -> int:
        """The rows of a request in a batch.

        Args:
            request: one image.

        Returns:
            One, another with guidance unless the model was distilled with it, and another where attention is perturbed.
        """
        return 1 + self._encoder.guided(request) + request.perturbed

    @property
    def page_rows(self) -> int:
        """The rows of all open groups together that memory for LoRAs has room for, each counted once for each page."""
        return self._adapters.page_rows

    def compiles(self, key: BatchKey) -> bool:
        """Whether a new group of some sizes runs compiled.

        Args:
            key: the sizes.

        Returns:
            True where a compiled forward is there and was measured to be faster.
        """
        return self.compilation is not None and key in self.compilation

    def covers(self, adapters: Sequence[Adapter], *, own_weights: bool) -> bool:
        """Whether images with some LoRAs may run compiled.

        Args:
            adapters: the LoRAs.
            own_weights: they run on these.

        Returns:
            False also where nothing is compiled on this device.
        """
        return self.compilation is not None and self.compilation.covers(adapters, own_weights=own_weights)

    def benchmark(self) -> None:
        """Measure a compiled forward that has arrived since, if one has."""
        if self.compilation is not None:
            self.compilation.benchmark()

    def advance(self, key: BatchKey, renderings: Sequence[DenoisingState]) -> None:
        """One denoiser call for several requests of a group.

        Args:
            key: of the group.
            renderings: requests that have their rows there.
        """
        memory = self.memory(key)
        self.denoiser.advance(memory, renderings)
        # An operator takes no quantized weights.
        can_compile = not (key.own_weights and self._weights is Weights.FP8)
        if self.compilation is not None and not key.compiled and can_compile:
            self.compilation.observe(key, lambda: self.denoiser.sizes(memory, key.shape.height, key.shape.width))

    def try_step(self, request: ImageRequest) -> None:
        """Run one step of a request by itself, only to see whether it fits in the device's memory.

        Args:
            request: without LoRAs.
        """
        rendering = self.begin(request, ())
        rows = rendering.conditioning.rows
        memory = self.denoiser.open(rows, pages=0)
        self.denoiser.assign(memory, rendering, tuple(range(rows)))
        self.denoiser.advance(memory, [rendering])

    def plainest_request(self) -> ImageRequest:
        """An image that the model makes on any device that is sound.

        Returns:
            A request for `try_step`.
        """
        name = self.facts.name
        return ImageRequest(
            prompt="fox", width=MIN_SIZE, height=MIN_SIZE, steps=2, guidance_scale=1.0, seed=0, model=name
        )

    def forget(self, open_keys: Container[BatchKey]) -> None:
        """Free the memory of groups that have ended.

        Args:
            open_keys: the groups that have not.
        """
        self._memories = {key: memory for key, memory in self._memories.items() if key in open_keys}

    def clear(self, key: BatchKey, rows: Sequence[int]) -> None:
        """Keep nothing of a request that leaves a group.

        Args:
            key: of the group; one that has been forgotten is left alone.
            rows: of the request.
        """
        if key in self._memories:
            self._memories[key].clear(rows)

    def preview(self, rendering: DenoisingState) -> Preview:
        """A small image of what the denoiser expects the end to be.

        Args:
            rendering: a request after at least one step.

        Returns:
            On its way to the host.
        """
        return self._previews.preview(rendering.denoised())

    def finish(self, rendering: DenoisingState, key: BatchKey) -> FinishedImage:
        """The decode stage.

        Args:
            rendering: a request after its last step.
            key: the group that it ran in, which its metadata records.

        Returns:
            On its way to the host.
        """
        decoded = self.denoiser.decode(rendering.latents, rendering.vae)
        return FinishedImage(
            pixels=HostCopy(decoded.pixels),
            numbers=self.check(rendering, decoded.sound),
            canvas=rendering.canvas,
            metadata=self._info(rendering.request, key),
            file_hash=self._file_hash,
            empty_maps=tuple(control.use.kind for control in rendering.controls if control.empty),
        )

    def check(self, rendering: DenoisingState, pixels: Tensor | None = None) -> NumbersCheck:
        """Whether a request is still made of numbers.

        Args:
            rendering: a request after a step.
            pixels: as in `NumbersCheck.of`.

        Returns:
            On its way to the host.
        """
        return NumbersCheck.of(rendering, self._checkpoint.hardware, pixels)

    def _file_hash(self) -> str | None:
        """The hash of the model's file, which may take seconds; None where it is a folder, or gone meanwhile."""
        try:
            return None if self.facts.file is None else self._hashes.short(self.facts.file)
        except OSError:
            return None

    def close(self) -> None:
        """Load nothing more."""
        self.loras.close()
        self.controls.close()
        self.vaes.close()

    def _info(self, request: ImageRequest, key: BatchKey) -> ImageMetadata:
        hardware = self._checkpoint.hardware
        by = self.compilation.forward(key).packages if self.compilation and key.compiled else ()
        return ImageMetadata(
            made_from=replace(request, bucket=None),
            model_name=self.facts.name,
            model_hash=self.facts.hash,
            bucket=key.bucket,
            lora_pages=key.pages if request.loras else 0,
            own_weights=key.own_weights,
            compiled=key.compiled,
            device=hardware.name,
            dtype=hardware.dtype_name if self._weights is Weights.FULL else f"{hardware.dtype_name}, {self._weights}",
            versions=tuple((package, _version(package)) for package in (*_DECIDING_PACKAGES, *by)),
        )


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
