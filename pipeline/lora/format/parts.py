"""The parts of which a canonical file makes one layer's change, as tensors; none of them depends on a base.

LoRA: Hu et al., 2021 (arXiv 2106.09685). LoHa: Hyeon-Woo et al., 2021 (FedPara; arXiv 2108.06098). LoKr: Yeh et al.,
2023 (LyCORIS; arXiv 2309.14859). GLoRA: Chavan et al., 2023 (arXiv 2306.07967). OFT: Qiu et al., 2023 (arXiv
2306.07280). BOFT: Liu et al., 2023 (arXiv 2311.06243). (IA)^3: Liu et al., 2022 (arXiv 2205.05638). DoRA: Liu et al.,
2024 (arXiv 2402.09353).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from pipeline.lora.format.part_header import PartHeader, PartKind, part_name


@dataclass(frozen=True, slots=True, kw_only=True)
class LowRank:
    """Adds `up @ down`: `down` is (rank, in, *kernel), `up` is (out, rank)."""

    down: Tensor
    up: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Kron:
    """Adds the Kronecker product of `first` (a, c) and `second`, (b, d, *kernel) or halves that multiply to it."""

    first: Tensor
    second: Tensor | LowRank


@dataclass(frozen=True, slots=True, kw_only=True)
class Hada:
    """Adds the elementwise product of two low-rank matrices."""

    first: LowRank
    second: LowRank


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Adds `values`, of the weight's shape."""

    values: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """GLoRA's a: the layer sees `x + up @ down @ x`; `down` is (rank, in), `up` is (in, rank)."""

    down: Tensor
    up: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Rotates the output channels of the base, block by block, then rescales them.

    `blocks` is (stages, blocks, n, n), each a rotation less the identity. Of several stages, number i mixes across 2^i
    blocks (BOFT's butterfly). `rescale` is (out,), or None for ones.
    """

    blocks: Tensor
    rescale: Tensor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnIn:
    """Rotates the columns of the base: `blocks` (blocks, n, n) is `R - I`, and a block of the new weight is `W @ R`."""

    blocks: Tensor


class Axis(StrEnum):
    """What a gain multiplies; `BOTH` is the outputs with their bias."""

    OUT = "stretch"
    BOTH = "stretch_both"
    IN = "stretch_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Adds `gain` times the base along an axis: (out,) or (in,)."""

    gain: Tensor
    axis: Axis


@dataclass(frozen=True, slots=True, kw_only=True)
class Magnitude:
    """DoRA: the norms that the rows of base plus change are brought to, (out,), or its columns, (in,)."""

    norms: Tensor
    on_input: bool = False


Added = LowRank | Kron | Hada | Difference
Change = Added | Before | Turn | TurnIn | Stretch


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a layer: a change, DoRA's magnitude over it (of an `Added` alone), and its own scale, which
    multiplies the request's.
    """

    change: Change
    magnitude: Magnitude | None = None
    scale: float = 1.0


def read_part(header: PartHeader, name: str, tensors: Mapping[str, Tensor]) -> Part:
    """A part from its file's tensors, which it shares.

    Args:
        header: of the part.
        name: `<network>.<layer>.<n>`.
        tensors: of the file.

    Returns:
        The part, in the dtypes that the file has.
    """
    own = {side: tensors[f"{name}.{side}"] for side in header.shapes}
    magnitude = None
    if header.normed:
        on_input = "magnitude_in" in own
        magnitude = Magnitude(norms=own["magnitude_in" if on_input else "magnitude"], on_input=on_input)
    scale = float(own["scale"]) if "scale" in own else 1.0
    return Part(change=_change(header.kind, own), magnitude=magnitude, scale=scale)


def parts_of(headers: Sequence[PartHeader], layer: str, tensors: Mapping[str, Tensor]) -> tuple[Part, ...]:
    """All parts of a layer.

    Args:
        headers: of the layer in its file.
        layer: its canonical name.
        tensors: of the file.

    Returns:
        In their order.
    """
    return tuple(read_part(header, part_name(layer, number), tensors) for number, header in enumerate(headers))


def tensors_of(part: Part) -> dict[str, Tensor]:
    """The tensors of a part as a file has them; the inverse of `read_part`.

    Args:
        part: of a layer.

    Returns:
        By the ends of their names.
    """
    tensors = _tensors(part.change)
    if part.magnitude is not None:
        tensors["magnitude_in" if part.magnitude.on_input else "magnitude"] = part.magnitude.norms
    if part.scale != 1.0:
        tensors["scale"] = torch.tensor([part.scale], dtype=torch.float64)
    return tensors


def _change(kind: PartKind, own: Mapping[str, Tensor]) -> Change:
    match kind:
        case PartKind.LOW_RANK:
            return LowRank(down=own["down"], up=own["up"])
        case PartKind.KRON:
            whole = own.get("kron_2")
            second = LowRank(down=own["kron_2_down"], up=own["kron_2_up"]) if whole is None else whole
            return Kron(first=own["kron_1"], second=second)
        case PartKind.HADA:
            return Hada(
                first=LowRank(down=own["hada_1_down"], up=own["hada_1_up"]),
                second=LowRank(down=own["hada_2_down"], up=own["hada_2_up"]),
            )
        case PartKind.DIFFERENCE:
            return Difference(values=own["difference"])
        case PartKind.BEFORE:
            return Before(down=own["before_down"], up=own["before_up"])
        case PartKind.TURN:
            return Turn(blocks=own["turn"], rescale=own.get("turn_rescale"))
        case PartKind.TURN_IN:
            return TurnIn(blocks=own["turn_in"])
        case PartKind.STRETCH:
            axis = next(axis for axis in Axis if axis.value in own)
            return Stretch(gain=own[axis.value], axis=axis)


def _tensors(change: Change) -> dict[str, Tensor]:
    match change:
        case LowRank():
            return {"down": change.down, "up": change.up}
        case Kron(second=LowRank(down=down, up=up)):
            return {"kron_1": change.first, "kron_2_down": down, "kron_2_up": up}
        case Kron(second=Tensor() as second):
            return {"kron_1": change.first, "kron_2": second}
        case Hada(first=first, second=second):
            return {
                "hada_1_down": first.down,
                "hada_1_up": first.up,
                "hada_2_down": second.down,
                "hada_2_up": second.up,
            }
        case Difference():
            return {"difference": change.values}
        case Before():
            return {"before_down": change.down, "before_up": change.up}
        case Turn():
            return {"turn": change.blocks} | ({} if change.rescale is None else {"turn_rescale": change.rescale})
        case TurnIn():
            return {"turn_in": change.blocks}
        case Stretch():
            return {change.axis.value: change.gain}
    raise AssertionError(change)
