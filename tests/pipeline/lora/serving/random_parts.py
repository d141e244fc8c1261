"""Random parts of every kind for a layer of any shape."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

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
    TurnIn,
)

Shape = Sequence[int]
STRENGTH = 0.05


def weights(*shape: int, strength: float = 1.0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64) * strength


def low_rank(shape: Shape, rank: int) -> LowRank:
    outputs, *width = shape
    return LowRank(down=weights(rank, *width), up=weights(outputs, rank, strength=STRENGTH / rank**0.5))


def kron(shape: Shape, *, halves: bool) -> Kron:
    outputs, inputs, *kernel = shape
    second = (outputs // 4, inputs // 2, *kernel)
    return Kron(first=weights(4, 2, strength=STRENGTH), second=low_rank(second, 3) if halves else weights(*second))


def hada(shape: Shape) -> Hada:
    return Hada(first=low_rank(shape, 20), second=low_rank(shape, 20))


def turn(channels: int, side: int, stages: int) -> Tensor:
    return weights(stages, channels // side, side, side, strength=STRENGTH / side)


def normed(change: LowRank | Kron | Hada | Difference, shape: Shape, *, on_input: bool = False) -> Part:
    length = shape[1 if on_input else 0]
    norm = (torch.tensor(shape).prod().item() / length) ** 0.5
    magnitude = Magnitude(norms=(torch.rand(length, dtype=torch.float64) + 0.5) * norm, on_input=on_input)
    return Part(change=change, magnitude=magnitude)


def _plain(make: Callable[[Shape], Change]) -> Callable[[Shape], Part]:
    return lambda shape: Part(change=make(shape), scale=0.7)


KINDS: dict[str, Callable[[Shape], Part]] = {
    "low rank": _plain(lambda shape: low_rank(shape, 4)),
    "rank 96": _plain(lambda shape: low_rank(shape, 96)),
    "kron": _plain(lambda shape: kron(shape, halves=False)),
    "kron of halves": _plain(lambda shape: kron(shape, halves=True)),
    "hada": _plain(hada),
    "difference": _plain(lambda shape: Difference(values=weights(*shape, strength=STRENGTH))),
    "before": _plain(
        lambda shape: Before(down=weights(4, shape[1]), up=weights(shape[1], 4, strength=STRENGTH / shape[1] ** 0.5))
    ),
    "turn": _plain(lambda shape: Turn(blocks=turn(shape[0], 8, 1))),
    "rescaled turn": _plain(
        lambda shape: Turn(blocks=turn(shape[0], 8, 1), rescale=1 + weights(shape[0], strength=STRENGTH))
    ),
    "butterfly": _plain(
        lambda shape: Turn(blocks=turn(shape[0], 8, 3), rescale=1 + weights(shape[0], strength=STRENGTH))
    ),
    "turn of inputs": _plain(lambda shape: TurnIn(blocks=turn(shape[1], 8, 1)[0])),
    "gain": _plain(lambda shape: Stretch(gain=weights(shape[0], strength=STRENGTH), axis=Axis.OUT)),
    "gain of inputs": _plain(lambda shape: Stretch(gain=weights(shape[1], strength=STRENGTH), axis=Axis.IN)),
    "dora": lambda shape: normed(low_rank(shape, 4), shape),
    "dora of columns": lambda shape: normed(low_rank(shape, 4), shape, on_input=True),
    "dora over kron": lambda shape: normed(kron(shape, halves=True), shape),
    "dora over hada, of columns": lambda shape: normed(hada(shape), shape, on_input=True),
}
"""What makes a random part of each kind for a layer's weight of some shape."""
