"""T2I-Adapters: small nets that read a map once, before the first step, and add to the outputs of the UNet's down
blocks.

Mou et al., 2023 (arXiv 2302.08453).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import InvalidRequest
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES


def is_adapter(config: Mapping[str, Any]) -> bool:
    """Whether a configuration is that of a T2I-Adapter, and not of a ControlNet.

    Args:
        config: a net's config.json.

    Returns:
        True for an adapter.
    """
    return "adapter_type" in config


def adapter_fits(config: Mapping[str, Any], family: ModelFamily, channels: tuple[int, ...]) -> bool:
    """Whether an adapter was made for a UNet.

    Args:
        config: the adapter's config.json.
        family: the UNet's.
        channels: of the UNet's blocks, as its `block_out_channels`.

    Returns:
        True where both agree.
    """
    same = all(own == other for own, other in zip(config["channels"], channels, strict=False))
    return same and config["adapter_type"] in FAMILIES[family].t2i_adapters


@torch.inference_mode()
def features_of(adapter: Any, hint: Tensor) -> tuple[Tensor, ...]:
    """The output of an adapter for a map.

    Args:
        adapter: a diffusers T2IAdapter.
        hint: (1, 3, height, width), 0 to 1.

    Returns:
        A tensor (1, channels, height, width) for each down block of the UNet, of that block's size.

    Raises:
        InvalidRequest: width or height is not a multiple of what the adapter shrinks by.
    """
    factor = adapter.downscale_factor
    if any(side % factor for side in hint.shape[2:]):
        raise InvalidRequest("size", f"With this control, width and height have to be multiples of {factor}.")
    read = hint[:, : adapter.config.in_channels].to(adapter.device, adapter.dtype)
    return tuple(adapter(read))
