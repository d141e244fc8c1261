"""One part of a layer in a canonical file by its shapes: its kind, and the layers that it fits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import Final

Shape = tuple[int, ...]

MAX_SIDE: Final = 65_536
MAX_PARTS: Final = 256
"""Parts of one layer; a set has as many as its members have together."""


class PartKind(StrEnum):
    """What a part does to a layer; `parts.py` has a class for each."""

    LOW_RANK = "low rank"
    KRON = "Kronecker product"
    HADA = "Hadamard product"
    BEFORE = "low rank before the base"
    TURN = "rotation of outputs"
    TURN_IN = "rotation of inputs"
    STRETCH = "gain"
    DIFFERENCE = "difference"


_SIDES: Final[Mapping[frozenset[str], PartKind]] = {
    frozenset({"down", "up"}): PartKind.LOW_RANK,
    frozenset({"kron_1", "kron_2"}): PartKind.KRON,
    frozenset({"kron_1", "kron_2_down", "kron_2_up"}): PartKind.KRON,
    frozenset({"hada_1_down", "hada_1_up", "hada_2_down", "hada_2_up"}): PartKind.HADA,
    frozenset({"before_down", "before_up"}): PartKind.BEFORE,
    frozenset({"turn"}): PartKind.TURN,
    frozenset({"turn", "turn_rescale"}): PartKind.TURN,
    frozenset({"turn_in"}): PartKind.TURN_IN,
    frozenset({"stretch"}): PartKind.STRETCH,
    frozenset({"stretch_both"}): PartKind.STRETCH,
    frozenset({"stretch_in"}): PartKind.STRETCH,
    frozenset({"difference"}): PartKind.DIFFERENCE,
}
_BESIDE: Final = frozenset({"magnitude", "magnitude_in", "scale"})
SIDES: Final = frozenset[str]().union(*_SIDES, _BESIDE)
"""How the names of tensors end that belong to parts."""

ADDED: Final = frozenset({PartKind.LOW_RANK, PartKind.KRON, PartKind.HADA, PartKind.DIFFERENCE})
"""The kinds that add to the base's weight and do not depend on it; DoRA's magnitudes go with these alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartHeader:
    """The shapes of one part's tensors, by the ends of their names."""

    kind: PartKind
    shapes: Mapping[str, Shape]

    @classmethod
    def of(cls, shapes: Mapping[str, Shape]) -> "PartHeader":
        """Check that tensors are one part, and fit each other.

        Args:
            shapes: of the tensors, by the ends of their names.

        Returns:
            The part.

        Raises:
            ValueError: they are none, or do not fit.
        """
        kind = _SIDES.get(frozenset(shapes) - _BESIDE)
        if kind is None:
            raise ValueError("tensors that are no part together")
        if any(not 1 <= side <= MAX_SIDE for shape in shapes.values() for side in shape):
            raise ValueError("a tensor of a size that no layer has")
        header = cls(kind=kind, shapes=shapes)
        if not header._whole():
            raise ValueError("a part whose tensors do not fit each other")
        return header

    @property
    def rank(self) -> int:
        """Of a low-rank part; 0 for the others."""
        return self.shapes["down"][0] if self.kind is PartKind.LOW_RANK else 0

    @property
    def normed(self) -> bool:
        """Whether it is a DoRA: it has magnitudes."""
        return "magnitude" in self.shapes or "magnitude_in" in self.shapes

    def fits(self, weight: Shape) -> bool:
        """Whether it can be a part of a layer.

        Args:
            weight: the shape of the layer's weight: (out, in) or (out, in, kernel height, kernel width).

        Returns:
            True if every tensor fits it.
        """
        outputs, inputs = weight[:2]
        lengths = {"magnitude": outputs, "magnitude_in": inputs}
        beside = all(self.shapes.get(side, (length,)) == (length,) for side, length in lengths.items())
        return beside and _FITS[self.kind](self.shapes, weight)

    def _whole(self) -> bool:
        sides = self.shapes
        if sides.get("scale", (1,)) != (1,) or (self.normed and self.kind not in ADDED):
            return False
        norms = [shape for side, shape in sides.items() if side.startswith("magnitude")]
        if len(norms) > 1 or any(len(shape) != 1 for shape in norms):
            return False
        return _WHOLE.get(self.kind, _vector)(sides)


def part_name(layer: str, number: int) -> str:
    """The name of a part, with which its tensors' names begin.

    Args:
        layer: its canonical name.
        number: the part's place in the layer.

    Returns:
        As the canonical file has it.
    """
    return f"{layer}.{number}"


def _product(down: Shape, up: Shape) -> bool:
    """Whether two halves fit each other: (rank, in, *kernel) and (out, rank)."""
    return len(down) in {2, 4} and len(up) == 2 and down[0] == up[1]


def _kron(sides: Mapping[str, Shape]) -> bool:
    first = len(sides["kron_1"]) == 2
    if "kron_2" in sides:
        return first and len(sides["kron_2"]) in {2, 4}
    return first and _product(sides["kron_2_down"], sides["kron_2_up"])


def _hada(sides: Mapping[str, Shape]) -> bool:
    return _product(sides["hada_1_down"], sides["hada_1_up"]) and _product(sides["hada_2_down"], sides["hada_2_up"])


def _before(sides: Mapping[str, Shape]) -> bool:
    down, up = sides["before_down"], sides["before_up"]
    return len(down) == len(up) == 2 and down == (up[1], up[0])


def _turn(sides: Mapping[str, Shape]) -> bool:
    if len(sides["turn"]) != 4:
        return False
    stages, count, side, other = sides["turn"]
    butterfly = stages == 1 or (side % 2 == 0 and stages <= count.bit_length() and count % 2 ** (stages - 1) == 0)
    return side == other and butterfly and sides.get("turn_rescale", (count * side,)) == (count * side,)


def _turn_in(sides: Mapping[str, Shape]) -> bool:
    return len(sides["turn_in"]) == 3 and sides["turn_in"][1] == sides["turn_in"][2]


def _difference(sides: Mapping[str, Shape]) -> bool:
    return len(sides["difference"]) in {2, 4}


def _vector(sides: Mapping[str, Shape]) -> bool:
    return all(len(shape) == 1 for shape in sides.values())


_WHOLE: Final[Mapping[PartKind, Callable[[Mapping[str, Shape]], bool]]] = {
    PartKind.LOW_RANK: lambda sides: _product(sides["down"], sides["up"]),
    PartKind.KRON: _kron,
    PartKind.HADA: _hada,
    PartKind.BEFORE: _before,
    PartKind.TURN: _turn,
    PartKind.TURN_IN: _turn_in,
    PartKind.DIFFERENCE: _difference,
}


def _kron_weight(sides: Mapping[str, Shape]) -> Shape:
    rows, columns = sides["kron_1"]
    own = sides.get("kron_2") or (sides["kron_2_up"][0], *sides["kron_2_down"][1:])
    return (rows * own[0], columns * own[1], *own[2:])


_FITS: Final[Mapping[PartKind, Callable[[Mapping[str, Shape], Shape], bool]]] = {
    PartKind.LOW_RANK: lambda sides, weight: (sides["up"][0], *sides["down"][1:]) == weight,
    PartKind.KRON: lambda sides, weight: _kron_weight(sides) == weight,
    PartKind.HADA: lambda sides, weight: all(
        (sides[f"hada_{n}_up"][0], *sides[f"hada_{n}_down"][1:]) == weight for n in (1, 2)
    ),
    PartKind.BEFORE: lambda sides, weight: sides["before_up"][0] == weight[1],
    PartKind.TURN: lambda sides, weight: prod(sides["turn"][1:3]) == weight[0],
    PartKind.TURN_IN: lambda sides, weight: prod(sides["turn_in"][:2]) == weight[1],
    PartKind.STRETCH: lambda sides, weight: all(
        sides.get(side, (length,)) == (length,)
        for side, length in (("stretch", weight[0]), ("stretch_both", weight[0]), ("stretch_in", weight[1]))
    ),
    PartKind.DIFFERENCE: lambda sides, weight: sides["difference"] == weight,
}
