"""The UNet's base weights in float8, a quarter of float32's memory; LoRAs stay beside them in the compute type."""

from typing import Any, Final

import torch
from torch import nn

from pipeline.errors import UserError
from pipeline.models.hardware import Hardware

# The first NVIDIA GPUs that multiply float8 (Ada, Hopper).
_MULTIPLIES_FLOAT8: Final = (8, 9)


def quantize(unet: nn.Module, hardware: Hardware) -> None:
    """Round the weights of every Linear to float8 (E4M3), with a scale for each output.

    Args:
        unet: is changed in place; convolutions and norms stay as they are.
        hardware: products are made in float8 too where the device multiplies it.

    Raises:
        UserError: torchao is not installed.
    """
    try:
        from torchao.quantization import quantize_  # noqa: PLC0415  an optional package
    except ImportError:
        raise UserError("Weights in fp8 need torchao; install it with `pip install 'limner[fp8]'`.") from None
    quantize_(unet, _config(hardware), filter_fn=lambda module, _: isinstance(module, nn.Linear))


def _config(hardware: Hardware) -> Any:
    """Products in float8 where the device has them, else products in its own type with weights from float8."""
    from torchao.quantization import Float8DynamicActivationFloat8WeightConfig, Float8WeightOnlyConfig, PerRow  # noqa: PLC0415  as above

    device = hardware.device
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= _MULTIPLIES_FLOAT8:
        # A scale for a whole tensor would let an image depend on its neighbours in the batch.
        return Float8DynamicActivationFloat8WeightConfig(granularity=PerRow())
    return Float8WeightOnlyConfig()
