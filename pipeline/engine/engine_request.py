"""A ticket on its way through the engine: what it waits for, where its slot is, what it has cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.control.residuals import Control
from pipeline.engine.batch_scheduler import Slot, WaitingRequest
from pipeline.engine.denoising_state import DenoisingState
from pipeline.engine.loaded_model import LoadedModel
from pipeline.engine.snapshot import Snapshot
from pipeline.errors import InvalidRequest
from pipeline.lora.serving.adapter_pool import Adapter
from pipeline.lora.serving.request_parts import UNetParts
from pipeline.models.device_timer import Span
from pipeline.requests.batch_key import BatchKey, Shape
from pipeline.requests.image_request import ImageRequest


@dataclass(slots=True, kw_only=True)
class EngineJob:
    """A ticket on its way through the engine.

    `loaded` is its model once that is in memory, `shape` what is known of its shape by then, `rendering` exists from
    the encode stage on, `key` from its first slot on. `images` are the bytes of the images that it is made from, by
    key. `spans` are the stretches of the device's time that it took part in, each with its share.
    """

    ticket: str
    request: ImageRequest
    images: Mapping[str, bytes] = field(default_factory=dict)
    loaded: LoadedModel | None = None
    shape: Shape | None = None
    snapshot: Snapshot | None = None
    adapters: tuple[Adapter, ...] = ()
    controls: tuple[Control, ...] | None = None
    vae: Any = None
    rendering: DenoisingState | None = None
    key: BatchKey | None = None
    spans: list[tuple[Span, float]] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Its rows in a batch."""
        return self.model.rows(self.request)

    @property
    def seconds(self) -> float:
        """Its share of the device's time so far."""
        return sum(span.seconds * share for span, share in self.spans)

    def acquire(self, timeout: float) -> bool:
        """Take what the request needs besides its model: its controls, its VAE, and its LoRAs, which stay pinned.

        Args:
            timeout: seconds to wait for each.

        Returns:
            False while something is still loading.

        Raises:
            UserError: something cannot be had.
        """
        if self.shape is None:
            self.shape = self._foreseen_shape()
        if self.controls is None:
            self.controls = self.model.controls.acquire(self.request, self.images, timeout)
        if self.vae is None:
            self.vae = self.model.vaes.acquire(self.request.vae, timeout)
        # LoRAs come last: they are pinned from here on.
        adapters = (
            None if self.controls is None or self.vae is None else self.model.loras.acquire(self.request, timeout)
        )
        if adapters is None:
            return False
        self.adapters = adapters
        return True

    def _foreseen_shape(self) -> Shape | None:
        """Its shape before its LoRAs are here; None where only they can tell whether its texts are too long."""
        try:
            return self.model.shape(self.request)
        except InvalidRequest:
            if not self.request.loras:
                raise
            return None

    def candidate(self) -> WaitingRequest:
        """What the job needs of a slot; its LoRAs must be acquired.

        Returns:
            To be entered into the BatchScheduler.
        """
        parts = UNetParts.of(self.request, self.adapters, self.model.facts.family)
        before = self.snapshot.pages if self.snapshot else self.request.lora_pages
        own_before = self.snapshot.own_weights if self.snapshot else self.request.own_weights
        own = parts.own_weights
        self.shape = shape = self.model.shape(self.request, self.adapters)
        return WaitingRequest(
            ticket=self.ticket,
            shape=shape,
            rows=self.rows,
            pages=max(parts.pages, before),
            own_weights=own or own_before,
            bucket=self.snapshot.bucket if self.snapshot else self.request.bucket,
            compiled=self._compiled(own),
        )

    def _compiled(self, own: bool) -> bool | None:
        """Whether it insists on a compiled forward or on none."""
        uncommon = self.controls or self.request.perturbed or self.request.freeu
        if uncommon or not self.model.covers(self.adapters, own_weights=own):
            return False
        if self.snapshot:
            return self.snapshot.compiled
        return self.request.compiled if self.request.bucket else None

    def start(self) -> DenoisingState:
        """The encode stage, and the jump to where a snapshot was taken, if there is one.

        Returns:
            The request at its next step.
        """
        rendering = self.model.begin(self.request, self.adapters, self.controls or (), self.images, vae=self.vae)
        if self.snapshot is not None:
            self.snapshot.resume(rendering)
            self.snapshot = None
        return rendering

    def assign(self, slot: Slot) -> None:
        """Take a slot; the encode stage comes first unless an earlier slot had it.

        Args:
            slot: free rows of a group.
        """
        if self.rendering is None:
            self.rendering = self.start()
        self.key = slot.key
        self.model.denoiser.assign(self.model.memory(slot.key), self.rendering, slot.rows)

    def leave(self) -> None:
        """Keep nothing where its slot was; it has none any more."""
        if self.loaded is None or self.rendering is None or self.key is None:
            return
        rows, self.rendering.rows = self.rendering.rows, ()
        self.loaded.clear(self.key, rows)

    @property
    def model(self) -> LoadedModel:
        """The model of a job that is past the wait for it."""
        assert self.loaded is not None, "only jobs whose model is loaded wait for a slot or have one"
        return self.loaded

    @property
    def group(self) -> BatchKey:
        """The group of a job that has a slot, or had one to its last step."""
        assert self.key is not None, "only jobs with a slot are decoded"
        return self.key

    @property
    def started(self) -> DenoisingState:
        """The rendering of a job that has passed the encode stage."""
        assert self.rendering is not None, "only encoded jobs have a slot"
        return self.rendering
