"""The pages of LoRAs on the device: as many as were needed at once, kept for the next ones."""

from collections.abc import Sequence

import torch

from pipeline.lora.serving.layers import Bank
from pipeline.lora.serving.pages import PAGE_RANK, BankPages


class PagePool:
    """The pages of one bank of layers, on the device.

    `down` is (pages, layers, width, 16) and `up` is (pages, layers, 16, outputs); page 0 is zeros and stands for none.

    Args:
        bank: whose layers they change.
        device: that holds them.
        dtype: of the numbers.
    """

    def __init__(self, bank: Bank, device: torch.device, dtype: torch.dtype) -> None:
        layers, shape = len(bank.names), bank.shape
        self.down = torch.zeros(1, layers, shape.width, PAGE_RANK, dtype=dtype, device=device)
        self.up = torch.zeros(1, layers, PAGE_RANK, shape.outputs, dtype=dtype, device=device)
        self._free: list[int] = []

    @property
    def page_size(self) -> int:
        """Bytes of one page."""
        return self.down[0].nbytes + self.up[0].nbytes

    def store(self, pages: BankPages, most: int) -> tuple[int, ...]:
        """Copy pages to the device; the pool grows where no page is free.

        Args:
            pages: one LoRA's, on the host.
            most: the pages that it grows to at most, unless this LoRA alone needs more.

        Returns:
            The numbers of the device's pages.
        """
        if (missing := pages.count - len(self._free)) > 0:
            self._grow(missing, most)
        numbers = tuple(self._free.pop() for _ in range(pages.count))
        for source, number in enumerate(numbers):
            self.down[number].copy_(pages.down[source], non_blocking=True)
            self.up[number].copy_(pages.up[source], non_blocking=True)
        return numbers

    def drop(self, numbers: Sequence[int]) -> None:
        """Free pages, and wipe them: nothing of one guild's LoRA may be left for another's.

        Args:
            numbers: from `store`.
        """
        for number in numbers:
            self.down[number].zero_()
            self.up[number].zero_()
        self._free.extend(numbers)

    def _grow(self, missing: int, most: int) -> None:
        before = self.down.shape[0]
        more = max(missing, min(before, most - before))
        self.down = torch.cat([self.down, self.down.new_zeros(more, *self.down.shape[1:])])
        self.up = torch.cat([self.up, self.up.new_zeros(more, *self.up.shape[1:])])
        self._free.extend(reversed(range(before, before + more)))
