"""A layer's parts as the tensors that LyCORIS names, which ComfyUI, AUTOMATIC1111 and LyCORIS itself read."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.lora.format.parts import (
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
)

Shape = tuple[int, ...]


def lycoris_tensors(parts: Sequence[Part], weight: Shape) -> dict[str, Tensor]:
    """The tensors of a layer in LyCORIS's form.

    Args:
        parts: of the layer.
        weight: the shape of its weight.

    Returns:
        By the ends of their names, as LyCORIS has them.

    Raises:
        UserError: no one algorithm of LyCORIS does what they do together.
    """
    if (plain := plain_halves(parts)) is not None:
        return _lora(plain, weight)
    match parts:
        case [Part(change=Before() as before, scale=1.0), Part(change=LowRank() as after, magnitude=None, scale=1.0)]:
            return _glora(before, after, weight)
        case [Part(change=Before() as before, scale=1.0)]:
            rank = before.down.shape[0]
            nothing = before.down.new_zeros(rank, *weight[1:]), before.down.new_zeros(weight[0], rank)
            return _glora(before, LowRank(down=nothing[0], up=nothing[1]), weight)
        case [Part(change=change, magnitude=None, scale=scale)] if not isinstance(change, Turn) or scale == 1.0:
            return _alone(change, scale, weight)
        case [Part(change=change, magnitude=Magnitude() as magnitude, scale=1.0)]:
            return _alone(change, 1.0, weight) | {"dora_scale": _norms(magnitude, len(weight))}
    raise UserError("This set does things that no other program's file can hold together; export its LoRAs one by one.")


def plain_halves(parts: Sequence[Part]) -> LowRank | None:
    """All parts of a layer as one pair of low-rank halves.

    Args:
        parts: of the layer.

    Returns:
        Side by side, with their scales folded in; None where one of them is no plain LoRA.
    """
    changes = [part.change for part in parts]
    if any(part.magnitude is not None for part in parts) or not all(isinstance(own, LowRank) for own in changes):
        return None
    halves = [(part, part.change) for part in parts if isinstance(part.change, LowRank)]
    if len(halves) == 1 and halves[0][0].scale == 1.0:
        return halves[0][1]
    down = torch.cat([own.down.float() for _, own in halves])
    return LowRank(down=down, up=torch.cat([own.up.double() * part.scale for part, own in halves], dim=1).float())


def _alone(change: Change, scale: float, weight: Shape) -> dict[str, Tensor]:
    """One change; a scale is folded in."""
    match change:
        case LowRank():
            return _lora(LowRank(down=change.down, up=_scaled(change.up, scale)), weight)
        case Kron():
            return _kron(change, scale)
        case Hada():
            return {
                "hada_w1_a": _scaled(change.first.up, scale),
                "hada_w1_b": change.first.down.flatten(1),
                "hada_w2_a": change.second.up,
                "hada_w2_b": change.second.down.flatten(1),
                "alpha": _number(change.first.down.shape[0]),
            }
        case Difference():
            return {"diff": _scaled(change.values, scale)}
        case Stretch(axis=Axis.IN | Axis.OUT):
            ones = [1] * (len(weight) - 2)
            gain = _scaled(change.gain, scale)
            on_input = torch.tensor(int(change.axis is Axis.IN))
            return {"weight": gain.reshape(1, -1, *ones) if ones else gain, "on_input": on_input}
        case Turn():
            return _turn(change, weight)
    raise UserError("This LoRA is of a kind that PEFT alone knows; no other program reads it.")


def _lora(halves: LowRank, weight: Shape) -> dict[str, Tensor]:
    return {
        "lora_down.weight": halves.down,
        "lora_up.weight": _wide(halves.up, weight),
        "alpha": _number(halves.down.shape[0]),
    }


def _kron(kron: Kron, scale: float) -> dict[str, Tensor]:
    first = {"lokr_w1": _scaled(kron.first, scale)}
    if isinstance(kron.second, LowRank):
        second = {"lokr_w2_a": kron.second.up, "lokr_w2_b": kron.second.down.flatten(1)}
        return first | second | {"alpha": _number(kron.second.down.shape[0])}
    return first | {"lokr_w2": kron.second, "alpha": _number(1)}


def _glora(before: Before, after: LowRank, weight: Shape) -> dict[str, Tensor]:
    """Both pairs at the larger rank of the two, since LyCORIS gives them one; zeros change nothing."""
    rank = max(before.down.shape[0], after.down.shape[0])
    return {
        "a1.weight": _wide(_ranked(before.up.T, rank).T, weight),
        "a2.weight": _wide(_ranked(before.down, rank), weight),
        "b1.weight": _wide(_ranked(after.up.T, rank).T, weight),
        "b2.weight": _ranked(after.down, rank),
        "alpha": _number(rank),
    }


def _turn(turn: Turn, weight: Shape) -> dict[str, Tensor]:
    """The skew-symmetric Q = (R - I) (R + I)^-1 behind each rotation; LyCORIS takes a matrix less its transpose."""
    moved = turn.blocks.double()
    identity = torch.eye(moved.shape[-1], dtype=torch.float64)
    halves = torch.linalg.solve(moved + 2 * identity, moved, left=False) / 2
    blocks = (halves[0].transpose(-1, -2) if len(halves) == 1 else halves).float()
    rescale = {} if turn.rescale is None else {"rescale": turn.rescale.reshape(-1, *[1] * (len(weight) - 1))}
    return {"oft_blocks": blocks, "alpha": _number(0)} | rescale


def _norms(magnitude: Magnitude, dimensions: int) -> Tensor:
    ones = [1] * (dimensions - 2)
    return magnitude.norms.reshape(1, -1, *ones) if magnitude.on_input else magnitude.norms.reshape(-1, 1, *ones)


def _ranked(rows: Tensor, rank: int) -> Tensor:
    return torch.cat([rows, rows.new_zeros(rank - len(rows), *rows.shape[1:])])


def _wide(matrix: Tensor, weight: Shape) -> Tensor:
    """A matrix with the kernel of one that a convolution's half has."""
    return matrix.reshape(*matrix.shape, *[1] * (len(weight) - 2))


def _scaled(tensor: Tensor, scale: float) -> Tensor:
    return tensor if scale == 1.0 else (tensor.double() * scale).float()


def _number(value: int) -> Tensor:
    return torch.tensor(float(value))
