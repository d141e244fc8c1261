"""The algorithms that rotate or scale the base's own weight: diag-OFT, BOFT, (IA)^3 and DoRA.

diag-OFT: Qiu et al., 2023 (arXiv 2306.07280). BOFT: Liu et al., 2023 (arXiv 2311.06243). (IA)^3: Liu et al., 2022
(arXiv 2205.05638). DoRA: Liu et al., 2024 (arXiv 2402.09353). Names, constraint and rescaling are those of LyCORIS.
"""

import torch
from torch import Tensor

from pipeline.lora.importing.base_layers import BaseLayer
from pipeline.lora.importing.change import Change, Factors, as_columns, as_rows
from pipeline.lora.importing.parts import LayerTensors, TensorRole
from pipeline.lora.importing.products import ReadBase, WrongShape


def oft(tensors: LayerTensors, layer: BaseLayer, read_base: ReadBase) -> Change:
    """diag-OFT: blocks of output channels are rotated, then each channel may be rescaled.

    Args:
        tensors: the layer's parts, in float64; `oft_blocks` is (blocks, n, n).
        layer: of the base.
        read_base: gives the base's weight in float64.

    Returns:
        A dense weight.

    Raises:
        WrongShape: the blocks do not cover the layer's outputs.
    """
    blocks = tensors[TensorRole.BLOCKS]
    if blocks.shape[0] * blocks.shape[1] != layer.outputs or blocks.shape[1] != blocks.shape[2]:
        raise WrongShape(layer)
    base = read_base()
    rotation = _cayley(blocks, _constraint(tensors, layer))
    turned = torch.einsum("knm,kn...->km...", rotation, base.reshape(*blocks.shape[:2], *base.shape[1:]))
    return Change(dense=_rescaled(turned.reshape(base.shape), tensors, layer) - base)


def boft(tensors: LayerTensors, layer: BaseLayer, read_base: ReadBase) -> Change:
    """BOFT: a butterfly of rotations, in which stage i mixes across 2^i blocks.

    Args:
        tensors: the layer's parts, in float64; `oft_blocks` is (stages, blocks, n, n).
        layer: of the base.
        read_base: gives the base's weight in float64.

    Returns:
        A dense weight.

    Raises:
        WrongShape: the blocks do not cover the layer's outputs, or cannot be mixed.
    """
    blocks = tensors[TensorRole.BLOCKS]
    stages, count, side, _ = blocks.shape
    if count * side != layer.outputs or side != blocks.shape[3] or side % 2 or count % 2 ** (stages - 1):
        raise WrongShape(layer)
    base = turned = read_base()
    width = base.shape[1:]
    for stage, rotation in enumerate(_cayley(blocks, _constraint(tensors, layer))):
        reach = 2**stage * side // 2
        mixed = turned.reshape(-1, 2, reach, *width).transpose(1, 2).reshape(count, side, *width)
        mixed = torch.einsum("bij,bj...->bi...", rotation, mixed)
        turned = mixed.reshape(-1, reach, 2, *width).transpose(1, 2).reshape(base.shape)
    return Change(dense=_rescaled(turned, tensors, layer) - base)


def ia3(tensors: LayerTensors, layer: BaseLayer, _: ReadBase) -> Change:
    """(IA)^3: a gain for each input channel or for each output channel.

    Args:
        tensors: the layer's parts, in float64.
        layer: of the base.

    Returns:
        A column gain or a row gain.

    Raises:
        WrongShape: the gain has another length.
    """
    gain = tensors[TensorRole.GAIN].flatten()
    if bool(tensors[TensorRole.GAIN_ON_INPUT].flatten()[0]):
        _check_length(gain, layer.inputs, layer)
        return Change(column_gain=gain)
    _check_length(gain, layer.outputs, layer)
    return Change(row_gain=gain)


def dora(plain: Change, magnitude: Tensor, layer: BaseLayer, base: Tensor) -> Change:
    """DoRA over another algorithm's update: each row or column of the new weight gets a stored norm.

    Args:
        plain: the other update.
        magnitude: the norms: (out, 1, ...) or flat for rows, (1, in, ...) for columns.
        layer: of the base.
        base: its weight, in float64.

    Returns:
        The update with its gains.

    Raises:
        WrongShape: there are fewer or more norms than rows.
    """
    changed = base + plain.weight(base)
    smallest = torch.finfo(changed.dtype).eps
    if _is_columns(magnitude, layer):
        norms = changed.transpose(0, 1).flatten(1).norm(dim=1) + smallest
        ratio = magnitude.flatten() / norms
        return _stretched(plain, columns=ratio)
    _check_length(magnitude.flatten(), layer.outputs, layer)
    ratio = magnitude.flatten() / (changed.flatten(1).norm(dim=1) + smallest)
    return _stretched(plain, rows=ratio)


def _is_columns(magnitude: Tensor, layer: BaseLayer) -> bool:
    return magnitude.ndim >= 2 and magnitude.shape[:2] == (1, layer.inputs) and magnitude.numel() == layer.inputs


def _stretched(plain: Change, *, rows: Tensor | None = None, columns: Tensor | None = None) -> Change:
    """The base and the plain change on it, both multiplied by one ratio a row or a column."""
    factors, dense = plain.factors, plain.dense
    if rows is not None:
        return Change(
            factors=factors and Factors(up=as_rows(rows, factors.up) * factors.up, down=factors.down),
            dense=None if dense is None else as_rows(rows, dense) * dense,
            row_gain=rows - 1,
        )
    assert columns is not None
    return Change(
        factors=factors and Factors(up=factors.up, down=as_columns(columns, factors.down) * factors.down),
        dense=None if dense is None else as_columns(columns, dense) * dense,
        column_gain=columns - 1,
    )


def _cayley(blocks: Tensor, constraint: float) -> Tensor:
    """The rotations (I + Q)(I - Q)^-1 of skew-symmetric Q, held together to a norm of `constraint` unless it is 0."""
    skew = blocks - blocks.transpose(-1, -2)
    if 0 < constraint < (length := float(skew.norm()) + 1e-8):
        skew = skew * (constraint / length)
    identity = torch.eye(blocks.shape[-1], dtype=blocks.dtype)
    rotations: Tensor = (identity + skew) @ torch.linalg.inv(identity - skew)
    return rotations


def _constraint(tensors: LayerTensors, layer: BaseLayer) -> float:
    """In these files alpha is the constraint on one output channel."""
    return float(tensors[TensorRole.ALPHA].flatten()[0]) * layer.outputs if TensorRole.ALPHA in tensors else 0.0


def _rescaled(weight: Tensor, tensors: LayerTensors, layer: BaseLayer) -> Tensor:
    if TensorRole.RESCALE not in tensors:
        return weight
    scale = tensors[TensorRole.RESCALE].flatten()
    _check_length(scale, layer.outputs, layer)
    return as_rows(scale, weight) * weight


def _check_length(vector: Tensor, length: int, layer: BaseLayer) -> None:
    if vector.numel() != length:
        raise WrongShape(layer)
