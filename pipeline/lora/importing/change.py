"""What a LoRA does to one layer, in float64 and without loss: low-rank factors, dense weights, gains, a bias."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """A low-rank change of weight, `up @ down`: `up` is (out, rank), `down` is (rank, in) or (rank, in, kh, kw)."""

    up: Tensor
    down: Tensor

    @property
    def rank(self) -> int:
        """Columns of `up`."""
        return int(self.up.shape[1])

    @property
    def weight(self) -> Tensor:
        """The product, in the weight's shape."""
        product: Tensor = torch.tensordot(self.up, self.down, dims=1)
        return product

    @property
    def norm(self) -> float:
        """The product's Frobenius norm, found without multiplying it out."""
        flat = self.down.flatten(1)
        return float(((self.up.T @ self.up) * (flat @ flat.T)).sum().clamp(min=0).sqrt())


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The new weight is `W + factors + dense + row_gain * W + W * column_gain`, the new bias `b + bias`.

    `dense` has the weight's shape, `row_gain` and `bias` are (out,), `column_gain` is (in,); what is None is zero. A
    norm's change is `dense` and `bias` alone.
    """

    factors: Factors | None = None
    dense: Tensor | None = None
    row_gain: Tensor | None = None
    column_gain: Tensor | None = None
    bias: Tensor | None = None

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All numbers in it."""
        halves = (self.factors.up, self.factors.down) if self.factors is not None else ()
        return (*halves, *(t for t in (self.dense, self.row_gain, self.column_gain, self.bias) if t is not None))

    def weight(self, base: Tensor) -> Tensor:
        """The change of the weight `base`, multiplied out."""
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
    """`vector` (out,) shaped to multiply each row of a weight that has as many dimensions as `like`."""
    return vector.reshape(-1, *[1] * (like.ndim - 1))


def as_columns(vector: Tensor, like: Tensor) -> Tensor:
    """`vector` (in,) shaped to multiply each input channel of a weight that has as many dimensions as `like`."""
    return vector.reshape(1, -1, *[1] * (like.ndim - 2))
