"""What parts make of a base's weight: the plain reference that import, export and serving are held to.

Everything is computed in the dtype of the base's weight; in float64 it is good to 1e-12 of the change.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.lora.format.parts import (
    Added,
    Axis,
    Before,
    Change,
    Difference,
    Hada,
    Kron,
    LowRank,
    Magnitude,
    Part,
    Stretch,
    Turn,
    TurnIn,
)
from pipeline.lora.format.scale_rule import ScaleRule


def weight_change(parts: Iterable[Part], base: Tensor, scale: float, rule: ScaleRule) -> Tensor:
    """The change of a layer's weight: the sum of its parts', each against the pristine base.

    Args:
        parts: of one layer.
        base: the layer's weight, (out, in, *kernel).
        scale: of the request.
        rule: of the file that the parts are from.

    Returns:
        What is to be added to the base, in its dtype.
    """
    total = torch.zeros_like(base)
    for part in parts:
        total += part_change(part, base, scale, rule)
    return total


def part_change(part: Part, base: Tensor, scale: float, rule: ScaleRule) -> Tensor:
    """The change of a layer's weight by one part.

    Args:
        part: of the layer.
        base: the layer's weight, (out, in, *kernel).
        scale: of the request; the part's own multiplies it.
        rule: of the file that the part is from.

    Returns:
        What is to be added to the base, in its dtype.
    """
    own = scale * part.scale
    if part.magnitude is None:
        return _change(part.change, base, own, rule)
    assert isinstance(part.change, Added), "the file's check lets magnitudes go with added changes alone"
    added = added_weight(part.change, base)
    norms = Norms.of(base, added, on_input=part.magnitude.on_input)
    of_base, of_added = dora_gains(part.magnitude, norms, own, rule)
    axis = as_columns if part.magnitude.on_input else as_rows
    return axis(of_base, base) * base + axis(of_added, base) * added


def bias_change(parts: Iterable[Part], bias: Tensor, scale: float) -> Tensor:
    """The change of a layer's bias by its parts, without the file's `<layer>.bias`.

    Args:
        parts: of one layer.
        bias: the layer's own, (out,).
        scale: of the request.

    Returns:
        What is to be added to the bias.
    """
    total = torch.zeros_like(bias)
    for part in parts:
        if isinstance(part.change, Stretch) and part.change.axis is Axis.BOTH:
            total += scale * part.scale * part.change.gain.to(bias) * bias
    return total


def added_weight(change: Added, like: Tensor) -> Tensor:
    """A change that does not depend on the base, multiplied out at scale 1.

    Args:
        change: of the layer.
        like: has the weight's shape, and the dtype and device of the result.

    Returns:
        Of the weight's shape.
    """
    match change:
        case LowRank():
            return _product(change, like).reshape(like.shape)
        case Kron():
            second = _product(change.second, like) if isinstance(change.second, LowRank) else change.second.to(like)
            return torch.einsum("ac,bd...->abcd...", change.first.to(like), second).reshape(like.shape)
        case Hada():
            return (_product(change.first, like) * _product(change.second, like)).reshape(like.shape)
        case Difference():
            return change.values.to(like).reshape(like.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Norms:
    """What DoRA needs of a base and of the change over it, by row or column: `base` is ‖W‖², `cross` ⟨W, D⟩, `added`
    ‖D‖².
    """

    base: Tensor
    cross: Tensor
    added: Tensor

    @classmethod
    def of(cls, base: Tensor, added: Tensor, *, on_input: bool) -> "Norms":
        """Measure a base and a change.

        Args:
            base: a layer's weight.
            added: the change multiplied out, at scale 1.
            on_input: measure columns.

        Returns:
            Three vectors, (out,) or (in,).
        """
        dims = tuple(dim for dim in range(base.ndim) if dim != on_input)
        return cls(base=(base * base).sum(dims), cross=(base * added).sum(dims), added=(added * added).sum(dims))


def dora_gains(magnitude: Magnitude, norms: Norms, scale: float, rule: ScaleRule) -> tuple[Tensor, Tensor]:
    """What DoRA multiplies: its change of the weight is `a * W + b * D`, by row or column.

    Args:
        magnitude: of the part.
        norms: of its base.
        scale: of the request times the part's own.
        rule: of the file.

    Returns:
        `a` and `b`.
    """
    wanted, smallest = magnitude.norms.to(norms.base), torch.finfo(norms.base.dtype).eps
    if rule is ScaleRule.PEFT:
        squared = norms.base + 2 * scale * norms.cross + scale**2 * norms.added
        gain = wanted / squared.clamp(min=0).sqrt().clamp(min=smallest)
        return gain - 1, gain * scale
    # ComfyUI's output axis divides by the base's norms alone (weight_adapter/base.py).
    alone = rule is ScaleRule.COMFYUI and not magnitude.on_input
    squared = norms.base if alone else norms.base + 2 * norms.cross + norms.added
    gain = wanted / (squared.clamp(min=0).sqrt() + smallest)
    if rule is ScaleRule.LYCORIS:
        return scale * (gain - 1), 1 + scale * (gain - 1)
    return scale * (gain - 1), scale * gain


def as_rows(vector: Tensor, like: Tensor) -> Tensor:
    """Shape a vector so that it multiplies the rows of a weight.

    Args:
        vector: (out,).
        like: a tensor with as many dimensions as the weight.

    Returns:
        (out, 1, ...).
    """
    return vector.reshape(-1, *[1] * (like.ndim - 1))


def as_columns(vector: Tensor, like: Tensor) -> Tensor:
    """Shape a vector so that it multiplies the input channels of a weight.

    Args:
        vector: (in,).
        like: a tensor with as many dimensions as the weight.

    Returns:
        (1, in, 1, ...).
    """
    return vector.reshape(1, -1, *[1] * (like.ndim - 2))


def _change(change: Change, base: Tensor, scale: float, rule: ScaleRule) -> Tensor:
    match change:
        case Turn():
            return _turned(change, base, scale, rule)
        case TurnIn():
            blocks = change.blocks.to(base)
            columns = base.reshape(len(base), *blocks.shape[:2], *base.shape[2:])
            return scale * torch.einsum("okc...,kcj->okj...", columns, blocks).reshape(base.shape)
        case Before():
            through = torch.einsum("oi...,ir->or...", base, change.up.to(base))
            return scale * torch.einsum("or...,rj->oj...", through, change.down.to(base))
        case Stretch():
            axis = as_columns if change.axis is Axis.IN else as_rows
            return scale * axis(change.gain.to(base), base) * base
        case _:
            return scale * added_weight(change, base)


def _turned(turn: Turn, base: Tensor, scale: float, rule: ScaleRule) -> Tensor:
    rescale = 1.0 if turn.rescale is None else as_rows(turn.rescale.to(base), base)
    blocks = turn.blocks.to(base)
    match rule:
        case ScaleRule.LYCORIS:  # blends each stage; the rescaling counts in full
            return rescale * (base + _butterfly(blocks * scale, base)) - base
        case ScaleRule.COMFYUI:  # multiplies twice, and knows no rescaling of a single stage
            rescale = rescale if len(blocks) > 1 else 1.0
            return scale * (rescale * (base + _butterfly(blocks * scale, base)) - base)
        case ScaleRule.LINEAR | ScaleRule.PEFT:
            return scale * (rescale * (base + _butterfly(blocks, base)) - base)


def _butterfly(blocks: Tensor, base: Tensor) -> Tensor:
    """What the stages make of the base, less the base; the difference is summed so that small turns lose no digits."""
    count, side = blocks.shape[1:3]
    width = base.shape[1:]
    moved = torch.zeros_like(base)
    for stage, rotation in enumerate(blocks):
        reach = 2**stage * side // 2 if len(blocks) > 1 else 1
        pair = 2 if len(blocks) > 1 else 1
        mixed = (base + moved).reshape(-1, pair, reach, *width).transpose(1, 2).reshape(count, side, *width)
        mixed = torch.einsum("bij,bj...->bi...", rotation, mixed)
        moved += mixed.reshape(-1, reach, pair, *width).transpose(1, 2).reshape(base.shape)
    return moved


def _product(halves: LowRank, like: Tensor) -> Tensor:
    product: Tensor = torch.tensordot(halves.up.to(like), halves.down.to(like), dims=1)
    return product
