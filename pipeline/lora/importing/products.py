"""The algorithms that build an update of a weight from small matrices: LoRA, LoHa, LoKr and GLoRA.

LoRA: Hu et al., 2021 (arXiv 2106.09685). LoHa: Hyeon-Woo et al., 2021 (FedPara; arXiv 2108.06098). LoKr, the Tucker
forms and the tensors' names: LyCORIS (Yeh et al., 2023; arXiv 2309.14859). GLoRA: Chavan et al., 2023 (arXiv
2306.07967). A product whose rank is small is written as low-rank halves, which are the cheapest to serve; every other
one keeps its own form. Neither loses anything.
"""

from math import log2, prod
from typing import Final

import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.lora.format.parts import Before, Hada, Kron, LowRank
from pipeline.lora.importing.base_layers import BaseLayer
from pipeline.lora.importing.parts import LayerTensors, TensorRole

SMALL_RANK: Final = 64
"""The largest rank of a product that is multiplied out to low-rank halves."""
_SAFE: Final = 2.0**12
"""Numbers from one over this to this are far from half precision's limits, whatever they are multiplied with."""

_FAR: Final = 1000
"""The largest power of two to multiply by; a double holds 1023."""


def lora(tensors: LayerTensors, layer: BaseLayer) -> LowRank:
    """LoRA and LoCon, with the Tucker core `lora_mid` where there is one.

    Args:
        tensors: the layer's parts, in float64.
        layer: of the base.

    Returns:
        Low-rank halves of the file's own rank.

    Raises:
        WrongShape: the halves do not fit each other, or the layer.
    """
    up = _columns(tensors[TensorRole.UP], layer)
    down = _rows(tensors[TensorRole.DOWN], tensors.get(TensorRole.MID), layer)
    _fit(layer, up.shape[1] == down.shape[0])
    return _halves(up * _scale(tensors, up.shape[1]), down)


def loha(tensors: LayerTensors, layer: BaseLayer) -> LowRank | Hada:
    """LoHa: the elementwise product of two low-rank matrices; ranks r and s make at most rank r·s.

    Args:
        tensors: the layer's parts, in float64.
        layer: of the base.

    Returns:
        Low-rank halves where r·s is small, else both matrices.

    Raises:
        WrongShape: a matrix does not fit the layer.
    """
    first = _hada(tensors, layer, TensorRole.HADA_1_UP, TensorRole.HADA_1_DOWN, TensorRole.HADA_1_CORE)
    second = _hada(tensors, layer, TensorRole.HADA_2_UP, TensorRole.HADA_2_DOWN, TensorRole.HADA_2_CORE)
    scale = _scale(tensors, tensors[TensorRole.HADA_1_DOWN].shape[0])
    if _rank(first) * _rank(second) > SMALL_RANK:
        return Hada(first=_halves(first.up * scale, first.down), second=_halves(second.up, second.down))
    up = torch.einsum("or,os->ors", first.up, second.up).flatten(1)
    return _halves(up * scale, torch.einsum("r...,s...->rs...", first.down, second.down).flatten(0, 1))


def lokr(tensors: LayerTensors, layer: BaseLayer) -> LowRank | Kron:
    """LoKr: the Kronecker product of two matrices, each whole or in halves; sizes are checked before multiplying.

    Alpha counts only where at least one of the two is in halves: trainers write a placeholder where both are whole.

    Args:
        tensors: the layer's parts, in float64.
        layer: of the base.

    Returns:
        Low-rank halves where the ranks multiply to a small one, else both matrices.

    Raises:
        WrongShape: the product does not fit the layer.
    """
    first = _kron_side(tensors, layer, (TensorRole.KRON_1, TensorRole.KRON_1_UP, TensorRole.KRON_1_DOWN), kernel=False)
    second = _kron_side(tensors, layer, (TensorRole.KRON_2, TensorRole.KRON_2_UP, TensorRole.KRON_2_DOWN), kernel=True)
    rows, columns = first.up.shape[0] * second.up.shape[0], first.down.shape[1] * second.down.shape[1]
    _fit(layer, (rows, columns, *second.down.shape[2:]) == layer.shape)
    ranks = [tensors[part].shape[0] for part in (TensorRole.KRON_1_DOWN, TensorRole.KRON_2_DOWN) if part in tensors]
    scale = _scale(tensors, ranks[0]) if ranks else 1.0
    if _rank(first) * _rank(second) > SMALL_RANK:
        whole = TensorRole.KRON_2 in tensors or TensorRole.KRON_2_CORE in tensors
        left, right = _balanced(first.up @ first.down * scale, _multiplied(second) if whole else second.up)
        return Kron(first=left, second=right if whole else LowRank(up=right, down=second.down))
    up = torch.einsum("ax,by->abxy", first.up, second.up).reshape(rows, -1)
    down = torch.einsum("xc,yd...->xycd...", first.down, second.down).reshape(-1, *layer.shape[1:])
    return _halves(up * scale, down)


def glora(tensors: LayerTensors, layer: BaseLayer) -> tuple[Before, LowRank]:
    """GLoRA: `W a1 a2 + b1 b2`.

    Files of early LyCORIS name each pair the other way around; the shapes decide.

    Args:
        tensors: the layer's parts, in float64.
        layer: of the base.

    Returns:
        What is before the base, and what is added to it.

    Raises:
        WrongShape: a matrix does not fit the layer.
    """
    a_up, a_down = _glora_pair(tensors, TensorRole.GLORA_A_UP, TensorRole.GLORA_A_DOWN, layer.inputs)
    b_up, b_down = _glora_pair(tensors, TensorRole.GLORA_B_UP, TensorRole.GLORA_B_DOWN, layer.outputs)
    scale = _scale(tensors, a_down.shape[0])
    up, down = _columns(b_up, layer), _rows(b_down, tensors.get(TensorRole.GLORA_B_MID), layer)
    inputs, outputs = a_down.flatten(1), a_up.flatten(1)
    _fit(layer, inputs.shape == (outputs.shape[1], layer.inputs) and outputs.shape[0] == layer.inputs)
    _fit(layer, up.shape[1] == down.shape[0])
    outputs, inputs = _balanced(outputs * scale, inputs)
    return Before(down=inputs, up=outputs), _halves(up * scale, down)


def _scale(tensors: LayerTensors, rank: int) -> float:
    """Alpha over rank; a missing alpha means the rank, and so does zero, as it does to the trainers."""
    alpha = float(tensors[TensorRole.ALPHA].reshape(-1)[0]) if TensorRole.ALPHA in tensors else 0.0
    return (alpha or rank) / rank


def _halves(up: Tensor, down: Tensor) -> LowRank:
    up, down = _balanced(up, down)
    return LowRank(down=down, up=up)


def _balanced(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Two factors of the same product that half precision can hold: where one could not be, both are of about one size.

    One is multiplied and the other divided by the same power of two, which loses nothing.
    """
    sizes = float(first.abs().max()), float(second.abs().max())
    if 0.0 in sizes or all(1 / _SAFE <= size <= _SAFE for size in sizes):
        return first, second
    # Of the logarithms: the quotient of two doubles may be none.
    shift = 2.0 ** min(max(round((log2(sizes[0]) - log2(sizes[1])) / 2), -_FAR), _FAR)
    return first / shift, second * shift


def _rank(halves: LowRank) -> int:
    return int(halves.up.shape[1])


def _multiplied(halves: LowRank) -> Tensor:
    product: Tensor = torch.tensordot(halves.up, halves.down, dims=1)
    return product


def _columns(up: Tensor, layer: BaseLayer) -> Tensor:
    """An up half as (out, rank); a convolution's has a kernel of one."""
    _fit(layer, up.ndim >= 2 and up.shape[0] == layer.outputs and up[0, 0].numel() == 1)
    return up.flatten(1)


def _rows(down: Tensor, mid: Tensor | None, layer: BaseLayer) -> Tensor:
    """A down half as (rank, in, *kernel): multiplied with its tucker core `mid`, unfolded where it is stored flat."""
    if mid is None:
        _fit(layer, down.ndim >= 2 and down[0].numel() == prod(layer.shape[1:]) and _same_inputs(down, layer))
        return down.reshape(down.shape[0], *layer.shape[1:])
    flat = down.flatten(1)
    _fit(layer, mid.ndim >= 2 and mid.shape[1:] == (flat.shape[0], *layer.kernel) and flat.shape[1] == layer.inputs)
    return torch.einsum("mn...,nj->mj...", mid, flat)


def _same_inputs(down: Tensor, layer: BaseLayer) -> bool:
    # Flat, or with the layer's own kernel; anything else of the same size would be read in the wrong order.
    return down.ndim == 2 or down.shape[1:] == layer.shape[1:] or down.shape[1:] == (layer.inputs, 1, 1)


def _hada(tensors: LayerTensors, layer: BaseLayer, up: TensorRole, down: TensorRole, core: TensorRole) -> LowRank:
    if core not in tensors:
        halves = LowRank(up=_columns(tensors[up], layer), down=_rows(tensors[down], None, layer))
        _fit(layer, halves.up.shape[1] == halves.down.shape[0])
        return halves
    wide = tensors[core]
    _fit(layer, wide.ndim >= 2 and tensors[up].ndim == tensors[down].ndim == 2)
    _fit(layer, wide.shape[0] == tensors[up].shape[0] and tensors[up].shape[1] == layer.outputs)
    return LowRank(up=tensors[up].T, down=_rows(tensors[down], wide, layer))


def _kron_side(
    tensors: LayerTensors, layer: BaseLayer, parts: tuple[TensorRole, TensorRole, TensorRole], *, kernel: bool
) -> LowRank:
    """One side of a Kronecker product in halves; of a whole matrix one is an identity."""
    whole, up, down = parts
    places = layer.kernel if kernel else ()
    if whole in tensors:
        matrix = tensors[whole]
        if matrix.ndim > 2 and places:
            _fit(layer, matrix.shape[2:] == places)
            return _in_halves(matrix, places)
        _fit(layer, matrix[0, 0].numel() == prod(places) == 1)
        return _in_halves(matrix.flatten(1).reshape(*matrix.shape[:2], *places), places)
    first, second = tensors[up], tensors[down]
    _fit(layer, first.ndim == 2 and second.ndim >= 2)
    if kernel and TensorRole.KRON_2_CORE in tensors:
        core = tensors[TensorRole.KRON_2_CORE]
        _fit(layer, core.ndim >= 2 and core.shape == (first.shape[0], second.shape[0], *places))
        return LowRank(up=first.T, down=torch.einsum("ij...,jr->ir...", core, second.flatten(1)))
    flat = second.flatten(1)
    _fit(layer, first.shape[1] == flat.shape[0] and flat.shape[1] % prod(places) == 0)
    return LowRank(up=first, down=flat.reshape(flat.shape[0], -1, *places))


def _in_halves(matrix: Tensor, places: tuple[int, ...]) -> LowRank:
    flat = matrix.flatten(1)
    if flat.shape[0] <= flat.shape[1]:
        return LowRank(up=torch.eye(flat.shape[0], dtype=matrix.dtype), down=matrix)
    identity = torch.eye(flat.shape[1], dtype=matrix.dtype)
    return LowRank(up=flat, down=identity.reshape(flat.shape[1], matrix.shape[1], *places))


def _glora_pair(tensors: LayerTensors, up: TensorRole, down: TensorRole, outputs: int) -> tuple[Tensor, Tensor]:
    first, second = tensors[up], tensors[down]
    swapped = first.shape[0] != outputs and second.shape[0] == outputs
    return (second, first) if swapped else (first, second)


def _fit(layer: BaseLayer, right: bool) -> None:
    if not right:
        raise WrongShape(layer)


class WrongShape(UserError):
    """A layer's tensors do not fit each other, or the base's layer.

    Args:
        layer: of the base; kept as an attribute.
    """

    def __init__(self, layer: BaseLayer) -> None:
        super().__init__(f"The tensors for {layer.name} do not fit that layer's shape {layer.shape} in this base.")
        self.layer = layer
