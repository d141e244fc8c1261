"""How many sides the tensors of a layer may have, checked before any algorithm reads them."""

from collections.abc import Mapping
from typing import Final

from pipeline.lora.importing.base_layers import BaseLayer
from pipeline.lora.importing.parts import LayerTensors, TensorRole
from pipeline.lora.importing.products import WrongShape

_MATRIX: Final = range(2, 5)
_VECTOR: Final = range(5)
_SIDES: Final[Mapping[TensorRole, range]] = {
    TensorRole.ALPHA: range(3),
    TensorRole.MAGNITUDE: range(1, 5),
    TensorRole.GAIN: range(1, 5),
    TensorRole.GAIN_ON_INPUT: range(3),
    TensorRole.BLOCKS: range(3, 5),
    TensorRole.RESCALE: range(1, 5),
    TensorRole.DIFFERENCE: range(1, 5),
    TensorRole.BIAS_DIFFERENCE: _VECTOR,
    TensorRole.NORM_DIFFERENCE: _VECTOR,
    TensorRole.NORM_BIAS_DIFFERENCE: _VECTOR,
}
"""All others are matrices, or a convolution's kernels."""
_SINGLE: Final = frozenset({TensorRole.ALPHA, TensorRole.GAIN_ON_INPUT})


def check_sides(tensors: LayerTensors, layer: BaseLayer) -> None:
    """Check that each tensor may be what its name says.

    Args:
        tensors: the layer's parts.
        layer: of the base.

    Raises:
        WrongShape: one has too few or too many sides, or none of a length.
    """
    for part, tensor in tensors.items():
        single = part not in _SINGLE or tensor.numel() == 1
        if tensor.ndim not in _SIDES.get(part, _MATRIX) or not tensor.numel() or not single:
            raise WrongShape(layer)
