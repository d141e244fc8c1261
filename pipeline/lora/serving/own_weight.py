"""A layer's own weight for one request: the base's plus the changes of all of the request's LoRAs.

Each change is taken against the pristine base, so that their order does not matter. They are summed in float32 and
rounded once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from pipeline.lora.format.parts import Added, Axis, Difference, Hada, Kron, LowRank, Part, Stretch, Turn
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.weight_change import (
    Norms,
    added_weight,
    as_columns,
    as_rows,
    dora_gains,
    part_change,
)
from pipeline.lora.serving.scratch import Scratch

_AT_ONCE: Final = 2**16
"""Numbers of a weight that are measured at once: what stays in a processor's cache in float64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPart:
    """A part of one layer, and the norms that its magnitudes need of the served base, in float64."""

    part: Part
    norms: Norms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledPart:
    """A part in a request: `scale` multiplies its own."""

    own: LayerPart
    scale: float
    rule: ScaleRule = ScaleRule.LINEAR


def plain_weight(weight: Tensor) -> Tensor:
    """A weight as plain numbers.

    Args:
        weight: of a layer; may be quantized.

    Returns:
        Itself, or what its rounded numbers stand for.
    """
    return weight.dequantize() if is_quantized(weight) else weight


def is_quantized(weight: Tensor) -> bool:
    """Whether a weight's numbers are rounded to fewer bits than it is computed in.

    Args:
        weight: of a layer.

    Returns:
        True for torchao's tensors.
    """
    return is_traceable_wrapper_subclass(weight)


def measured(part: Part, weight: Tensor) -> LayerPart:
    """Measure once what a part needs of a base: nothing, but for DoRA.

    Args:
        part: of the layer.
        weight: the layer's on the base that is served.

    Returns:
        The part with its norms, where the part's tensors are.
    """
    if part.magnitude is None:
        return LayerPart(part=part)
    assert isinstance(part.change, Added), "the file's check lets magnitudes go with added changes alone"
    base = plain_weight(weight).to(_exact(weight.dtype))
    norms = _norms(base, added_weight(part.change, base), on_input=part.magnitude.on_input)
    home = part.magnitude.norms.device
    return LayerPart(
        part=part, norms=Norms(base=norms.base.to(home), cross=norms.cross.to(home), added=norms.added.to(home))
    )


def _norms(base: Tensor, added: Tensor, *, on_input: bool) -> Norms:
    """In float64, some rows at a time."""
    rows = len(base) if base.is_cuda else max(1, _AT_ONCE // base[0].numel())
    pieces = [
        Norms.of(own.double(), change.double(), on_input=on_input)
        for own, change in zip(torch.split(base, rows), torch.split(added, rows), strict=True)
    ]

    def whole(vectors: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(vectors)).sum(0) if on_input else torch.cat(list(vectors))

    base_norms, cross, added_norms = zip(*[(piece.base, piece.cross, piece.added) for piece in pieces], strict=True)
    return Norms(base=whole(base_norms), cross=whole(cross), added=whole(added_norms))


def own_weight(weight: Tensor, parts: Sequence[ScaledPart], scratch: Scratch) -> Tensor:
    """Fill a layer's own weight.

    Args:
        weight: the base's, (out, in, *kernel).
        parts: of all LoRAs of one request.
        scratch: what it is filled into.

    Returns:
        Of the same shape, dtype and layout; the next call overwrites it.
    """
    base = plain_weight(weight)
    total = scratch.take("total", base.shape, _exact(base.dtype))
    total.copy_(base)
    for each in parts:
        if each.scale or each.rule is not ScaleRule.LINEAR:
            _add(total, base, each, scratch)
    if (total.dtype, total.stride()) == (base.dtype, base.stride()):
        return total
    # In the base's layout too: what follows the layer meets the same one, whichever rows have a LoRA.
    rounded = scratch.take("rounded", base.shape, base.dtype)
    return rounded.as_strided(base.shape, base.stride()).copy_(total)


def _exact(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)


def _add(total: Tensor, base: Tensor, scaled: ScaledPart, scratch: Scratch) -> None:
    """Add one part's change of `base` to `total`."""
    part, scale = scaled.own.part, scaled.scale * scaled.own.part.scale
    match part.change:
        case LowRank() | Kron() | Hada() | Difference() if scaled.own.norms is not None:
            _add_normed(total, base, scaled, scratch)
        case LowRank() | Kron() | Hada() | Difference():
            _add_plain(total, part.change, scale, scratch)
        case Stretch(gain=gain, axis=axis):
            shaped = as_columns if axis is Axis.IN else as_rows
            total.addcmul_(base, shaped(gain.to(total) * scale, base))
        case Turn(blocks=blocks, rescale=None) if len(blocks) == 1 and scaled.rule is not ScaleRule.COMFYUI:
            rows = base.to(total.dtype).reshape(*blocks.shape[1:3], -1)
            total.view(rows.shape).baddbmm_(blocks[0].to(total), rows, alpha=scale)
        case _:
            total.add_(part_change(replace(part, scale=1.0), base.to(total.dtype), scale, scaled.rule))


def _add_normed(total: Tensor, base: Tensor, scaled: ScaledPart, scratch: Scratch) -> None:
    """A DoRA: `a * W + b * D`, by row or by column."""
    part, norms = scaled.own.part, scaled.own.norms
    assert part.magnitude is not None, "only a DoRA has norms"
    assert norms is not None, "the caller asks for a DoRA"
    of_base, of_added = dora_gains(part.magnitude, norms, scaled.scale * part.scale, scaled.rule)
    shaped = as_columns if part.magnitude.on_input else as_rows
    total.addcmul_(base, shaped(of_base.to(total), base))
    gains = shaped(of_added.to(total), base)
    match part.change:
        case LowRank(down=down, up=up) if part.magnitude.on_input:
            total.flatten(1).addmm_(up.to(total), (down.to(total).view(len(down), *base.shape[1:]) * gains).flatten(1))
        case LowRank(down=down, up=up):
            total.flatten(1).addmm_(up.to(total) * of_added.to(total)[:, None], down.to(total).flatten(1))
        case Kron() | Hada() | Difference():
            dense = scratch.take("dense", base.shape, total.dtype).zero_()
            _add_plain(dense, part.change, 1.0, scratch)
            total.addcmul_(dense, gains)


def _add_plain(total: Tensor, change: Added, scale: float, scratch: Scratch) -> None:
    """What a change adds that does not depend on the base."""
    rows = total.flatten(1)
    match change:
        case LowRank(down=down, up=up):
            rows.addmm_(up.to(total), down.to(total).flatten(1), alpha=scale)
        case Kron(first=first, second=second):
            whole = _product(second, total) if isinstance(second, LowRank) else second.to(total).flatten(1)
            shape = (first.shape[0], whole.shape[0], first.shape[1], whole.shape[1])
            rows.view(shape).addcmul_(first.to(total)[:, None, :, None], whole[None, :, None, :], value=scale)
        case Hada(first=first, second=second):
            one, other = (scratch.take(name, rows.shape, total.dtype) for name in ("hada", "other"))
            torch.mm(first.up.to(total), first.down.to(total).flatten(1), out=one)
            torch.mm(second.up.to(total), second.down.to(total).flatten(1), out=other)
            rows.addcmul_(one, other, value=scale)
        case Difference(values=values):
            total.add_(values.view(total.shape), alpha=scale)


def _product(halves: LowRank, like: Tensor) -> Tensor:
    return halves.up.to(like) @ halves.down.to(like).flatten(1)
