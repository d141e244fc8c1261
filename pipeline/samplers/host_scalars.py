"""Diffusers' steps on a GPU without waiting for it: their scalars stay on the CPU, what they draw there is fetched."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from pipeline.transfer import to_device


def host_scalars(device: torch.device) -> AbstractContextManager[object]:
    """Run a scheduler's step inside this block.

    Args:
        device: of its latents; on a CPU nothing changes.

    Returns:
        The block.
    """
    return nullcontext() if device.type == "cpu" else _HostScalars(device)


class _HostScalars(TorchFunctionMode):
    """UniPC moves each of its scalars to the latents' device, and LCM its noise, from memory that is not pinned: for
    each the host would wait until the device has done all that came before.

    A scalar on the CPU takes part in a GPU's arithmetic as it is.

    Args:
        device: of the latents.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is Tensor.to and args[0].is_cpu and tuple(args[1:]) == (self._device,):
            return args[0] if args[0].ndim == 0 else to_device(args[0], self._device)
        if func in {torch.ones, torch.tensor} and kwargs.get("device") == self._device:
            kwargs["device"] = torch.device("cpu")
        if func is torch.einsum:
            args = [to_device(each, self._device) if isinstance(each, Tensor) else each for each in args]
        return func(*args, **kwargs)
