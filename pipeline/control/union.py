"""ControlNet-Union: one net that reads maps of several kinds, and several of them in one call."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from pipeline.requests.control import ControlKind
from pipeline.transfer import to_device

TYPES: Final[Mapping[ControlKind, int]] = {
    ControlKind.POSE: 0,
    ControlKind.DEPTH: 1,
    ControlKind.SCRIBBLE: 2,
    ControlKind.SOFTEDGE: 2,
    ControlKind.EDGE: 3,
    ControlKind.LINEART: 3,
    ControlKind.NORMAL: 4,
    ControlKind.SEGMENT: 5,
    ControlKind.TILE: 6,
}
"""A kind's place among the types of ControlNet++ (xinsir): six in the first, eight with tiles and repainting."""


def is_union(config: Mapping[str, Any]) -> bool:
    """Whether a net reads maps of several types.

    Args:
        config: a net's config.json.

    Returns:
        True for a ControlNet-Union.
    """
    return "num_control_type" in config


def union_kinds(config: Mapping[str, Any]) -> list[ControlKind]:
    """The kinds of maps that a union net reads.

    Args:
        config: its config.json.

    Returns:
        In the order of TYPES.
    """
    return [kind for kind, place in TYPES.items() if place < config["num_control_type"]]


def union_arguments(
    config: Mapping[str, Any], kinds: Sequence[ControlKind], scales: Sequence[float], hints: Sequence[Tensor]
) -> dict[str, Any]:
    """The keyword arguments of ControlNetUnionModel's call for maps of some kinds.

    Args:
        config: the net's config.json.
        kinds: one for each map.
        scales: how the net weighs each map before it combines them; a single map is weighed by the caller instead.
        hints: (rows, 3, height, width) for each map.

    Returns:
        What to pass besides latents, timesteps and conditioning.
    """
    places = [TYPES[kind] for kind in kinds]
    types = torch.zeros(len(hints[0]), config["num_control_type"], dtype=hints[0].dtype)
    types[:, places] = 1
    return {
        "controlnet_cond": list(hints),
        "control_type": to_device(types, hints[0].device),
        "control_type_idx": places,
        "conditioning_scale": list(scales),
    }
