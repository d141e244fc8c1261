"""What a LoRA does to one layer, in float64 and exactly: low-rank factors, dense weights, gains, a bias."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """A low-rank update of a weight, `up @ down`: `up` is (out, rank), `down` is (rank, in) or (rank, in, kh, kw)."""

    up: Tensor
    down: Tensor

    @property
    def rank(self) -> int:
        """Columns of `up`: the most that the update's rank can be."""
        return int(self.up.shape[1])

    @property
    def weight(self) -> Tensor:
        """The product, in the weight's shape."""
        product: Tensor = torch.tensordot(self.up, self.down, dims=1)
        return product

    @property
    def norm(self) -> float:
        """The product's Frobenius norm, computed without multiplying it out."""
        flat = self.down.flatten(1)
        return float(((self.up.T @ self.up) * (flat @ flat.T)).sum().clamp(min=0).sqrt())


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An update of a layer: the new weight is `W + factors + dense + row_gain * W + W * column_gain`, the new bias `b +
    bias`.

    `dense` has the weight's shape, `row_gain` and `bias` are (out,), `column_gain` is (in,); None is zero. For a norm
    only `dense` and `bias` are set.
    """

    factors: Factors | None = None
    dense: Tensor | None = None
    row_gain: Tensor | None = None
    column_gain: Tensor | None = None
    bias: Tensor | None = None

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors in it."""
        halves = (self.factors.up, self.factors.down) if self.factors is not None else ()
        return (*halves, *(t for t in (self.dense, self.row_gain, self.column_gain, self.bias) if t is not None))

    def weight(self, base: Tensor) -> Tensor:
        """The update of the weight, multiplied out.

        Args:
            base: the layer's weight.

        Returns:
            Of the same shape, to be added to it.
        """
        total = torch.zeros_like(base)
        if self.factors is not None:
            total += self.factors.weight
        if self.dense is not None:
            total += self.dense
        if self.row_gain is not None:
            total += as_rows(self.row_gain, base) * base
        if self.column_gain is not None:
            total += as_columns(self.column_gain, base) * base
        return total


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
