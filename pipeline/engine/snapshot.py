"""An image between two steps as bytes: its latents, its sampler's history and position, and the state of its noise."""

import json
from dataclasses import dataclass
from typing import Final

from safetensors import SafetensorError
from safetensors.torch import load, save

from pipeline.engine.denoising_state import DenoisingState
from pipeline.models.safetensors_header import MAX_HEADER_BYTES
from pipeline.requests.batch_key import BatchKey
from pipeline.transfer import HostCopy, to_device

_FIELDS: Final = ("bucket", "pages", "own_weights", "compiled", "places")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An unfinished image, to go on with on this device or another, in a group of the same sizes.

    `tensors` are `latents`, `generator` and the sampler's history; `places` are the sampler's plain numbers.
    """

    bucket: int
    pages: int
    own_weights: bool
    compiled: bool
    tensors: dict[str, HostCopy]
    places: dict[str, int | None]

    @classmethod
    def of(cls, rendering: DenoisingState, key: BatchKey) -> "Snapshot":
        """The image as it is now; later steps do not change the snapshot.

        Args:
            rendering: between two steps.
            key: of its group.

        Returns:
            With its tensors on their way to the host.
        """
        tensors, places = rendering.sampler.history()
        own = {"latents": rendering.latents, "generator": rendering.generator.get_state()}
        copies = {name: HostCopy(tensor) for name, tensor in (own | tensors).items()}
        return cls(
            bucket=key.bucket,
            pages=key.pages,
            own_weights=key.own_weights,
            compiled=key.compiled,
            tensors=copies,
            places=places,
        )

    def to_bytes(self) -> bytes:
        """As a safetensors file; on any thread.

        Returns:
            About 262 KB for an SDXL image of 1024 pixels a side, and as much again for each tensor that the sampler
            keeps.
        """
        fields = {name: getattr(self, name) for name in _FIELDS}
        tensors = {name: copy.get() for name, copy in self.tensors.items()}
        packed: bytes = save(tensors, metadata={"parked": json.dumps(fields)})
        return packed

    @classmethod
    def from_bytes(cls, packed: bytes) -> "Snapshot":
        """Read what `to_bytes` wrote.

        Args:
            packed: the file.

        Returns:
            The snapshot.

        Raises:
            ValueError: it is damaged.
        """
        try:
            length = min(int.from_bytes(packed[:8], "little"), MAX_HEADER_BYTES)
            fields = json.loads(json.loads(packed[8 : 8 + length])["__metadata__"]["parked"])
            own = {name: fields[name] for name in _FIELDS}
            return cls(tensors={name: HostCopy(tensor) for name, tensor in load(packed).items()}, **own)
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise ValueError("a snapshot is damaged") from error

    def resume(self, rendering: DenoisingState) -> None:
        """Take a new rendering of the same request to where the snapshot was taken.

        Args:
            rendering: before its first step; it is changed in place.

        Raises:
            ValueError: it is of another size.
        """
        tensors = {name: copy.get() for name, copy in self.tensors.items()}
        latents, generator = tensors.pop("latents"), tensors.pop("generator")
        if latents.shape != rendering.latents.shape:
            raise ValueError("a snapshot is of another size")
        device = rendering.latents.device
        rendering.generator.set_state(generator)
        rendering.latents = to_device(latents, device)
        rendering.sampler.restore(tensors, self.places, device)
