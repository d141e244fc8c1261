"""Own weights that are kept from step to step: a difference is as large as its layer, so filling one costs most."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable

import torch
from torch import Tensor

Key = tuple[Hashable, frozenset[str]]
"""What a weight is made of, and the keys of the LoRAs in it."""


class MergedWeights:
    """Filled weights, the least recently used first; they are dropped before any LoRA is.

    Args:
        room: bytes that are left for more of them.
    """

    def __init__(self, room: Callable[[], int]) -> None:
        self._room = room
        self._weights: OrderedDict[Key, Tensor] = OrderedDict()
        self._dropped = 0

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(weight.nbytes for weight in self._weights.values())

    @property
    def signature(self) -> Hashable:
        """Changes when one of them is dropped, which a captured graph may read."""
        return self._dropped

    def of(self, key: Key, fill: Callable[[], Tensor]) -> Tensor:
        """A weight, filled if it is not here yet, and kept where there is room.

        Args:
            key: of the weight.
            fill: makes it, in memory that is used again.

        Returns:
            It must not be changed.
        """
        if key in self._weights:
            self._weights.move_to_end(key)
            return self._weights[key]
        weight = fill()
        if weight.nbytes > self._room():
            return weight
        self._weights[key] = weight.clone()
        return self._weights[key]

    def shrink(self, fits: Callable[[], bool]) -> None:
        """Drop the least recently used until there is room enough.

        Args:
            fits: whether there is.
        """
        while self._weights and not fits():
            self._drop([next(iter(self._weights))])

    def forget(self, lora: str) -> None:
        """Drop what a LoRA is part of.

        Args:
            lora: its key.
        """
        self._drop([key for key in self._weights if lora in key[1]])

    @torch.inference_mode()
    def _drop(self, keys: Iterable[Key]) -> None:
        for key in keys:
            # Nothing of one guild's LoRA may be left for another's.
            self._weights.pop(key).zero_()
            self._dropped += 1
