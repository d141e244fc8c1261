"""Tensors on their way between host and device, for which neither waits."""

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """A tensor of the host on a device; a GPU fetches it by itself from pinned memory.

    Args:
        tensor: on the CPU, or on `device`.
        device: where it is needed.
        dtype: what it is cast to there; None for its own.

    Returns:
        The tensor on `device`; itself, where it is there already.
    """
    if tensor.device == device:
        return tensor if dtype is None else tensor.to(dtype)
    source = tensor.pin_memory() if device.type == "cuda" else tensor
    moved = source.to(device, non_blocking=True)
    return moved if dtype is None else moved.to(dtype)


class HostCopy:
    """A tensor on its way to the host, taken when it has arrived: on any thread, while the device works on.

    Args:
        tensor: on the host or on a device; it must not be changed in place afterwards, only replaced.
    """

    def __init__(self, tensor: Tensor) -> None:
        self._arrived: torch.cuda.Event | None = None
        self._host = tensor
        if tensor.device.type == "cpu":
            return
        # Of the same strides, so that the copy is one piece.
        self._host = torch.empty_like(tensor, device="cpu", pin_memory=tensor.is_cuda)
        self._host.copy_(tensor, non_blocking=True)
        if tensor.is_cuda:
            self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch has no types for it
            self._arrived.record(torch.cuda.current_stream(tensor.device))

    def get(self) -> Tensor:
        """Wait until it has arrived.

        Returns:
            The tensor on the CPU.
        """
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._host
