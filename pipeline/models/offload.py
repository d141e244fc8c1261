"""Models larger than the device's memory: what does not fit waits in host memory and visits layer by layer."""

import logging

from accelerate import cpu_offload
from torch import nn

from pipeline.models.checkpoint import Checkpoint

_log = logging.getLogger(__name__)


def place(checkpoint: Checkpoint) -> None:
    """Bring a model that was loaded into host memory to its device, as much of it as fits, the UNet first.

    The rest gets hooks (accelerate's) that bring each layer's weights for its own forward only: the same images,
    slower.

    Args:
        checkpoint: loaded into host memory; its modules are changed in place.
    """
    hardware = checkpoint.hardware
    for module in (checkpoint.unet, checkpoint.vae, *(encoder.model for encoder in checkpoint.text_encoders)):
        if hardware.fits(_bytes(module)):
            module.to(hardware.device)
            continue
        _log.warning("%s waits in host memory: the device is short of its own", type(module).__name__)
        cpu_offload(module, execution_device=hardware.device)


def _bytes(module: nn.Module) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())
