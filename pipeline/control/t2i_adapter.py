"""T2I-Adapters: small nets that look at a map once and add what they see to the UNet's way down.

Mou et al., 2023 (arXiv 2302.08453).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import InvalidRequest
from pipeline.models.metadata import ModelFamily


def is_adapter(config: Mapping[str, Any]) -> bool:
    """Whether this is the configuration of a T2I-Adapter, and of no ControlNet."""
    return "adapter_type" in config


def adapter_fits(config: Mapping[str, Any], family: ModelFamily, channels: tuple[int, ...]) -> bool:
    """Whether an adapter of this configuration was made for a UNet of `family` whose blocks have so many `channels`."""
    same = all(own == other for own, other in zip(config["channels"], channels, strict=False))
    return same and (config["adapter_type"] == "full_adapter_xl") == (family is ModelFamily.SDXL)


@torch.inference_mode()
def features_of(adapter: Any, hint: Tensor) -> tuple[Tensor, ...]:
    """What `adapter` sees in a map (1, 3, height, width), a tensor (1, channels, ...) for each block of the UNet.

    Raises InvalidRequest where it cannot read a map of that size.
    """
    factor = adapter.downscale_factor
    if any(side % factor for side in hint.shape[2:]):
        raise InvalidRequest("size", f"With this control, width and height have to be multiples of {factor}.")
    read = hint[:, : adapter.config.in_channels].to(adapter.device, adapter.dtype)
    return tuple(adapter(read))
