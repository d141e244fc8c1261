"""Memory that all layers use in turn, as large as the largest of them has needed."""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor


class Scratch:
    """Tensors whose numbers are of use until the same slot is taken again.

    Args:
        device: that holds them.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._slots: dict[tuple[str, torch.dtype], Tensor] = {}

    @property
    def size(self) -> int:
        """Bytes of all slots."""
        return sum(slot.nbytes for slot in self._slots.values())

    @property
    def addresses(self) -> tuple[int, ...]:
        """Where the slots are; they stay there until one grows."""
        return tuple(slot.data_ptr() for slot in self._slots.values())

    def take(self, slot: str, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """A tensor in a slot, with whatever numbers are left there.

        Args:
            slot: what was taken there before ends.
            shape: of the tensor.
            dtype: of its numbers.

        Returns:
            At the same address each time, until a larger one is taken.
        """
        count = prod(shape)
        held = self._slots.get((slot, dtype))
        if held is None or held.numel() < count:
            # Without the old one still there, or growing would take twice the room.
            self._slots.pop((slot, dtype), None)
            held = self._slots[slot, dtype] = torch.zeros(count, dtype=dtype, device=self._device)
        return held[:count].view(tuple(shape))

    @torch.inference_mode()
    def wipe(self) -> None:
        """Set all numbers to zero: nothing of one guild's LoRA may be left for another's."""
        for slot in self._slots.values():
            slot.zero_()
