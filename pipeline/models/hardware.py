"""The machine under an engine: which device, in what precision and layout, with how much room."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

import torch

from pipeline.errors import UserError
from pipeline.memory import available_memory
from pipeline.models.metadata import ModelFacts

# Weights are not all: a forward needs room for its activations.
_ROOM_FOR_WORK: Final = 1.25


class DeviceBroken(Exception):
    """The device computes nothing any more; only a restart of its process can help."""


class DeviceExhausted(DeviceBroken):
    """The device has no memory left for anything."""


class Placement(Enum):
    """Where a model's weights are loaded to."""

    DEVICE = "device"
    HOST = "host memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """One device and how it computes.

    float32 on a CPU, where half precision is slower; bfloat16 on a GPU that has it, with a VAE of the same range;
    float16 on older GPUs with the VAE in float32, because SDXL's overflows in float16.
    """

    device: torch.device
    dtype: torch.dtype
    vae_dtype: torch.dtype

    @classmethod
    def choose(cls, name: str) -> "Hardware":
        """The device of a name, with the precision that it computes best in.

        Args:
            name: `cpu`, `cuda:<index>`, or `auto` for the first GPU where there is one.

        Returns:
            The device.

        Raises:
            UserError: it is not on this machine.
        """
        if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
            return cls(
                device=torch.device("cpu"),
                dtype=torch.float32,
                vae_dtype=torch.float32,
            )
        device = _cuda_device("cuda:0" if name == "auto" else name)
        modern = torch.cuda.get_device_capability(device)[0] >= 8
        return cls(
            device=device,
            dtype=torch.bfloat16 if modern else torch.float16,
            vae_dtype=torch.bfloat16 if modern else torch.float32,
        )

    @property
    def layout(self) -> torch.memory_format:
        """How convolutions' weights lie in memory, and with them what flows between layers."""
        return layout_on(self.device)

    @property
    def name(self) -> str:
        """What the last bits of an image depend on: the GPU's type, or the CPU's instruction set."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return f"CPU {torch.backends.cpu.get_cpu_capability()}"

    @property
    def dtype_name(self) -> str:
        """The precision of the denoiser: `float32`, `bfloat16`, `float16`."""
        return str(self.dtype).removeprefix("torch.")

    def free_bytes(self) -> int:
        """Memory that a new allocation could have.

        Returns:
            Bytes of the GPU's memory, or of the host's for a CPU.
        """
        if self.device.type == "cuda":
            return torch.cuda.mem_get_info(self.device)[0]
        return available_memory()

    def release_unused(self) -> None:
        """Give memory that no tensor holds back to the device."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def fits(self, weights: int) -> bool:
        """Whether a module finds room on the device, and to work in.

        Args:
            weights: the module's size in bytes.

        Returns:
            Whether a quarter more than that is free.
        """
        return weights * _ROOM_FOR_WORK <= self.free_bytes()

    def home(self, facts: ModelFacts) -> Placement:
        """Where to load a model to.

        Args:
            facts: tell how many weights it has.

        Returns:
            Its device, or host memory if that is too short (`pipeline.models.offload` brings it from there).

        Raises:
            UserError: neither has room.
        """
        needed = facts.parameters * self.dtype.itemsize
        if self.fits(needed):
            return Placement.DEVICE
        if self.device.type != "cpu" and needed * _ROOM_FOR_WORK <= available_memory():
            return Placement.HOST
        raise UserError(
            f"Model '{facts.name}' needs about {needed * _ROOM_FOR_WORK / 1e9:.1f} GB on {self.device} and "
            f"{self.free_bytes() / 1e9:.1f} GB are free; close other programs or choose a smaller model."
        )


def layout_on(device: torch.device) -> torch.memory_format:
    """The layout of convolutions on a device.

    Args:
        device: that computes.

    Returns:
        Channels last on a CPU, where convolutions are a third faster for it (measured); contiguous elsewhere, because
        CUDA's GroupNorm copies everything else, until a GPU says otherwise (docs/decisions/layouts.md).
    """
    return torch.channels_last if device.type == "cpu" else torch.contiguous_format


def _cuda_device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"Device '{name}' is unknown; use auto, cpu or cuda:0.") from None
    if device.type != "cuda" or (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"Device '{name}' is not on this machine, which has {torch.cuda.device_count()} GPUs.")
    return device
