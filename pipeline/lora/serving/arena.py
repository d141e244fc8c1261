"""Many tensors in one: what a LoRA holds besides its pages goes to the device as a single copy."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

_ALIGNED: Final = 256
"""Bytes; what a GPU's kernels read fastest, and a CPU's too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    begin: int
    end: int
    shape: torch.Size
    dtype: torch.dtype


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """Tensors by name, in one tensor of bytes, each in the dtype that it had."""

    bytes: Tensor
    places: Mapping[str, _Place]

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], *, pin: bool) -> "Arena":
        """Copy tensors into one.

        Args:
            tensors: on the host.
            pin: put them into pinned memory, from which a GPU copies by itself.

        Returns:
            On the host.
        """
        places, end = {}, 0
        for name, tensor in tensors.items():
            begin = -(-end // _ALIGNED) * _ALIGNED
            end = begin + tensor.nbytes
            places[name] = _Place(begin=begin, end=end, shape=tensor.shape, dtype=tensor.dtype)
        made = cls(bytes=torch.zeros(end, dtype=torch.uint8, pin_memory=pin), places=places)
        for name, view in made.tensors().items():
            view.copy_(tensors[name])
        return made

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return self.bytes.nbytes

    def tensors(self) -> dict[str, Tensor]:
        """The tensors.

        Returns:
            Views by name.
        """
        return {
            name: self.bytes[place.begin : place.end].view(place.dtype).view(place.shape)
            for name, place in self.places.items()
        }

    def copied_to(self, device: torch.device) -> "Arena":
        """Bring the tensors to a device.

        Args:
            device: that shall hold them.

        Returns:
            A copy there, even where this one is there too.
        """
        return replace(self, bytes=self.bytes.to(device, non_blocking=True, copy=True))
