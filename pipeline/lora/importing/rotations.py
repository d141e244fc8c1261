"""The algorithms that rotate or scale the base's own weight: diag-OFT, BOFT, (IA)^3 and DoRA.

diag-OFT: Qiu et al., 2023 (arXiv 2306.07280). BOFT: Liu et al., 2023 (arXiv 2311.06243). (IA)^3: Liu et al., 2022
(arXiv 2205.05638). DoRA: Liu et al., 2024 (arXiv 2402.09353). Names, constraint and rescaling are those of LyCORIS.
"""

import torch
from torch import Tensor

from pipeline.lora.format.parts import Axis, Magnitude, Stretch, Turn
from pipeline.lora.importing.base_layers import BaseLayer
from pipeline.lora.importing.parts import LayerTensors, TensorRole
from pipeline.lora.importing.products import WrongShape


def oft(tensors: LayerTensors, layer: BaseLayer) -> Turn:
    """diag-OFT: blocks of output channels are rotated, then each channel may be rescaled.

    Args:
        tensors: the layer's parts, in float64; `oft_blocks` is (blocks, n, n).
        layer: of the base.

    Returns:
        One stage of rotations.

    Raises:
        WrongShape: the blocks do not cover the layer's outputs.
    """
    blocks = tensors[TensorRole.BLOCKS]
    if blocks.shape[0] * blocks.shape[1] != layer.outputs or blocks.shape[1] != blocks.shape[2]:
        raise WrongShape(layer)
    # LyCORIS multiplies a diag-OFT's blocks from the other side than a BOFT's.
    turns = _turns(blocks, _constraint(tensors, layer)).transpose(-1, -2)
    return Turn(blocks=turns[None], rescale=_rescale(tensors, layer))


def boft(tensors: LayerTensors, layer: BaseLayer) -> Turn:
    """BOFT: a butterfly of rotations, in which stage i mixes across 2^i blocks.

    Args:
        tensors: the layer's parts, in float64; `oft_blocks` is (stages, blocks, n, n).
        layer: of the base.

    Returns:
        All stages.

    Raises:
        WrongShape: the blocks do not cover the layer's outputs, or cannot be mixed.
    """
    blocks = tensors[TensorRole.BLOCKS]
    stages, count, side, _ = blocks.shape
    if count * side != layer.outputs or side != blocks.shape[3] or side % 2:
        raise WrongShape(layer)
    if stages > count.bit_length() or count % 2 ** (stages - 1):
        raise WrongShape(layer)
    turns = _turns(blocks, _constraint(tensors, layer))
    if stages == 1:
        # One stage mixes channels within their own block alone: the same as blocks with those channels in order.
        order = torch.arange(side).reshape(2, -1).T.flatten().argsort()
        turns = turns[:, :, order][:, :, :, order]
    return Turn(blocks=turns, rescale=_rescale(tensors, layer))


def ia3(tensors: LayerTensors, layer: BaseLayer) -> Stretch:
    """(IA)^3: a gain for each input channel or for each output channel.

    Args:
        tensors: the layer's parts, in float64.
        layer: of the base.

    Returns:
        The gain.

    Raises:
        WrongShape: it has another length.
    """
    gain = tensors[TensorRole.GAIN].flatten()
    axis = Axis.IN if bool(tensors[TensorRole.GAIN_ON_INPUT].flatten()[0]) else Axis.OUT
    _check_length(gain, layer.inputs if axis is Axis.IN else layer.outputs, layer)
    return Stretch(gain=gain, axis=axis)


def dora(norms: Tensor, layer: BaseLayer) -> Magnitude:
    """DoRA over another algorithm's update: each row or column of the new weight gets a stored norm.

    Args:
        norms: (out, 1, ...) or flat for rows, (1, in, ...) for columns.
        layer: of the base.

    Returns:
        The norms of rows or of columns.

    Raises:
        WrongShape: there are fewer or more norms than rows.
    """
    on_input = norms.ndim >= 2 and norms.shape[:2] == (1, layer.inputs) and norms.numel() == layer.inputs
    if not on_input:
        _check_length(norms.flatten(), layer.outputs, layer)
    return Magnitude(norms=norms.flatten(), on_input=on_input)


def _turns(blocks: Tensor, constraint: float) -> Tensor:
    """The rotations (I + Q)(I - Q)^-1 of skew-symmetric Q, held together to a norm of `constraint` unless it is 0; less
    the identity, which leaves 2 Q (I - Q)^-1.
    """
    skew = blocks - blocks.transpose(-1, -2)
    if 0 < constraint < (length := float(skew.norm()) + 1e-8):
        skew = skew * (constraint / length)
    identity = torch.eye(blocks.shape[-1], dtype=blocks.dtype)
    turns: Tensor = torch.linalg.solve(identity - skew, 2 * skew, left=False)
    return turns


def _constraint(tensors: LayerTensors, layer: BaseLayer) -> float:
    """In these files alpha is the constraint on one output channel."""
    return float(tensors[TensorRole.ALPHA].flatten()[0]) * layer.outputs if TensorRole.ALPHA in tensors else 0.0


def _rescale(tensors: LayerTensors, layer: BaseLayer) -> Tensor | None:
    if TensorRole.RESCALE not in tensors:
        return None
    scale = tensors[TensorRole.RESCALE].flatten()
    _check_length(scale, layer.outputs, layer)
    return scale


def _check_length(vector: Tensor, length: int, layer: BaseLayer) -> None:
    if vector.numel() != length:
        raise WrongShape(layer)
