"""An image between two steps as bytes: its latents, its sampler's history, its place, its source of noise."""

import json
from dataclasses import dataclass

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from pipeline.engine.denoiser import DenoisingState
from pipeline.models.safetensors_header import MAX_HEADER_BYTES
from pipeline.requests.batch_key import BatchKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An unfinished image, to go on with on this device or another, in a group like the one that it had.

    `tensors` are `latents`, `generator` and what the sampler remembers; `places` are the sampler's plain numbers.
    """

    bucket: int
    pages: int
    compiled: bool
    tensors: dict[str, Tensor]
    places: dict[str, int | None]

    @classmethod
    def of(cls, rendering: DenoisingState, key: BatchKey) -> "Snapshot":
        """The image as it is now; later steps do not change what was parked."""
        tensors, places = rendering.sampler.history()
        own = {"latents": rendering.latents, "generator": rendering.generator.get_state()}
        tensors = {name: tensor.detach().cpu().clone() for name, tensor in (own | tensors).items()}
        return cls(bucket=key.bucket, pages=key.pages, compiled=key.compiled, tensors=tensors, places=places)

    def to_bytes(self) -> bytes:
        """A safetensors file: about 131 KB for an image of 1024 pixels a side, and as much again for history."""
        story = {"bucket": self.bucket, "pages": self.pages, "compiled": self.compiled, "places": self.places}
        packed: bytes = save(self.tensors, metadata={"parked": json.dumps(story)})
        return packed

    @classmethod
    def from_bytes(cls, packed: bytes) -> "Snapshot":
        """What `to_bytes` made; raises ValueError if it is damaged."""
        try:
            length = min(int.from_bytes(packed[:8], "little"), MAX_HEADER_BYTES)
            story = json.loads(json.loads(packed[8 : 8 + length])["__metadata__"]["parked"])
            fields = {name: story[name] for name in ("bucket", "pages", "compiled", "places")}
            return cls(tensors=dict(load(packed)), **fields)
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise ValueError("a parked picture is damaged") from error

    def resume(self, rendering: DenoisingState) -> None:
        """Take a fresh rendering of the same request to where this one was; raises ValueError if it is another's."""
        latents = self.tensors["latents"]
        if latents.shape != rendering.latents.shape:
            raise ValueError("a parked picture is of another size")
        device = rendering.latents.device
        rendering.generator.set_state(self.tensors["generator"])
        rendering.latents = latents.to(device)
        history = {name: tensor for name, tensor in self.tensors.items() if name not in {"latents", "generator"}}
        rendering.sampler.restore(history, self.places, device)
