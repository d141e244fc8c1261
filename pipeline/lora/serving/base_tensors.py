"""A layer's tensors as they were loaded, also where they wait in host memory between its forwards."""

from typing import Literal

from torch import Tensor, nn


def base_tensor(layer: nn.Module, name: Literal["weight", "bias"]) -> Tensor | None:
    """A tensor of the base.

    Args:
        layer: of the model; accelerate's hook may hold its tensors.
        name: of the tensor.

    Returns:
        With its numbers, wherever they are; None where the layer has none of that name.
    """
    tensor: Tensor | None = getattr(layer, name)
    if tensor is None or not tensor.is_meta:
        return tensor
    hook = getattr(layer, "_hf_hook", None)
    held: Tensor = tensor if hook is None else hook.weights_map[name]
    return held
