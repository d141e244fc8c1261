"""What LoRAs add to the biases of layers and to the gains and biases of norms: vectors, side by side in one row.

Unlike a layer's weight they are so few numbers that a row of a batch holds all of a network's at once.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """The vectors of one LoRA (width,), or of a batch (rows, width) with scales folded in; all but `used` are zeros."""

    values: Tensor
    used: AbstractSet[str]


@dataclass(slots=True, kw_only=True)
class VectorBank:
    """Where each vector of a network lies in a row, by `<layer>.bias` or `<norm>.gain`.

    `rows` is what the running forward uses.
    """

    places: dict[str, slice] = field(default_factory=dict)
    width: int = 0
    rows: Vectors | None = None

    def place(self, name: str, length: int) -> "VectorPlace":
        """Make room for one more vector.

        Args:
            name: `<layer>.bias` or `<norm>.gain`.
            length: of the vector.

        Returns:
            Its place.
        """
        self.places[name] = slice(self.width, self.width + length)
        self.width += length
        return VectorPlace(bank=self, name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorPlace:
    """One vector of a bank."""

    bank: VectorBank
    name: str

    def rows(self) -> Tensor | None:
        """The vector's values for all rows.

        Returns:
            (rows, length); None where nothing changes it.
        """
        rows = self.bank.rows
        return None if rows is None or self.name not in rows.used else rows.values[:, self.bank.places[self.name]]


def on_last(vectors: Tensor, output: Tensor) -> Tensor:
    """Shape a vector for each row so that it is added along the last dimension.

    Args:
        vectors: (rows, channels).
        output: (rows, ..., channels).

    Returns:
        (rows, 1, ..., channels).
    """
    return vectors.view(len(vectors), *[1] * (output.ndim - 2), -1)


def on_second(vectors: Tensor, output: Tensor) -> Tensor:
    """Shape a vector for each row so that it is added along the second dimension.

    Args:
        vectors: (rows, channels).
        output: (rows, channels, ...).

    Returns:
        (rows, channels, 1, ...).
    """
    return vectors.view(*vectors.shape, *[1] * (output.ndim - 2))
