"""How strong a part is, without its base: enough to tell a change that does nothing, and one that breaks images."""

from math import inf, prod, sqrt
from typing import Final

import torch
from torch import Tensor

from pipeline.lora.format.parts import (
    Added,
    Before,
    Difference,
    Hada,
    Kron,
    LowRank,
    Part,
    Stretch,
    Turn,
    TurnIn,
)
from pipeline.lora.format.weight_change import added_weight
from pipeline.lora.importing.base_layers import BaseLayer

EXPLODED: Final = 10.0
"""No image survives a change of this many times a layer's usual weight."""


def strength(part: Part, layer: BaseLayer) -> float:
    """The size of a part's change of a weight.

    Args:
        part: of the layer, in float64.
        layer: of the base.

    Returns:
        In multiples of the weight that a layer of so many inputs usually has, whose outputs are as large as its inputs;
        0 if it changes nothing.
    """
    if part.magnitude is not None:
        return _rms(part.magnitude.norms) or 1.0  # norms of zero take the whole weight away
    match part.change:
        case LowRank() | Kron() | Hada() | Difference():
            return _norm(part.change, layer) / sqrt(layer.outputs)
        case Before():
            return _halves(part.change.up, part.change.down) / sqrt(layer.inputs)
        case Stretch():
            return _rms(part.change.gain)
        case Turn():
            still = 0.0 if part.change.rescale is None else _rms(part.change.rescale - 1)
            return max(still, _rms(part.change.blocks))
        case TurnIn():
            return _rms(part.change.blocks)


def _norm(change: Added, layer: BaseLayer) -> float:
    """The Frobenius norm of a change, without multiplying it out where that can be helped."""
    match change:
        case LowRank():
            return _halves(change.up, change.down)
        case Kron(second=LowRank(up=up, down=down)):
            return float(change.first.norm()) * _halves(up, down)
        case Kron(second=Tensor() as second):
            return float(change.first.norm()) * float(second.norm())
        case Difference():
            return float(change.values.norm())
        case Hada():
            most = _most(change)
            if most == 0.0 or most < EXPLODED * sqrt(layer.outputs):
                return most
            return float(added_weight(change, torch.empty(layer.shape)).norm())
    return inf


def _halves(up: Tensor, down: Tensor) -> float:
    flat = down.flatten(1)
    if up.shape[1] > min(up.shape[0], flat.shape[1]):
        return float((up @ flat).norm())
    return float(((up.T @ up) * (flat @ flat.T)).sum().clamp(min=0).sqrt())


def _most(change: Hada) -> float:
    """A bound on the norm, by Cauchy and Schwarz for each element of both matrices."""
    ups = change.first.up.square().sum(1) * change.second.up.square().sum(1)
    downs = change.first.down.flatten(1).square().sum(0) * change.second.down.flatten(1).square().sum(0)
    return sqrt(float(ups.sum()) * float(downs.sum()))


def _rms(values: Tensor) -> float:
    return float(values.norm()) / sqrt(prod(values.shape))
