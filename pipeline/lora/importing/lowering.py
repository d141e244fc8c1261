"""From an exact update to what a canonical file can hold: factors of limited rank, and the size of what is lost."""

from dataclasses import dataclass
from math import log2
from typing import Final

import torch
from torch import Tensor

from pipeline.lora.format.file import MAX_RANK
from pipeline.lora.importing.base_layers import BaseLayer
from pipeline.lora.importing.change import Change, Factors
from pipeline.lora.importing.products import ReadBase

NEGLIGIBLE: Final = 1e-3
"""A residual below the rounding of the numbers that hold the factors; no rank is spent on less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """One layer as it will be stored: its factors, and the Frobenius norms of the exact update and of what they miss of
    it.
    """

    factors: Factors
    norm: float
    residual: float


def lower(change: Change, layer: BaseLayer, read_base: ReadBase) -> Lowered | None:
    """The update of a layer's weight as factors of rank 256 at most.

    Factors that fit are taken as they are. Everything else is multiplied out and cut off where the rest is negligible,
    or at the largest rank: the best such approximation (Eckart and Young, 1936).

    Args:
        change: the exact update.
        layer: of the base.
        read_base: gives the base's weight in float64; called only where the update depends on it.

    Returns:
        None if the weight stays as it is.
    """
    factors = change.factors
    alone = change.dense is None and change.row_gain is None and change.column_gain is None
    if factors is None and alone:
        return None
    if factors is not None and alone and factors.rank <= MAX_RANK:
        return Lowered(factors=factors, norm=factors.norm, residual=0.0)
    needs_base = change.row_gain is not None or change.column_gain is not None
    base = read_base() if needs_base else torch.zeros(layer.shape, dtype=torch.float64)
    return _cut(change.weight(base))


def _cut(weight: Tensor) -> Lowered:
    flat = weight.flatten(1)
    tall = flat.shape[0] > flat.shape[1]
    gram = flat.T @ flat if tall else flat @ flat.T
    energies, directions = torch.linalg.eigh(gram)
    energies, directions = energies.flip(0).clamp(min=0), directions.flip(1)
    total = float(energies.sum())
    left = total - energies.cumsum(0)
    enough = int((left > NEGLIGIBLE**2 * total).sum()) + 1
    rank = min(enough, MAX_RANK, len(energies))
    kept = directions[:, :rank]
    up, down = (flat @ kept, kept.T) if tall else (kept, kept.T @ flat)
    factors = Factors(up=up, down=down.reshape(rank, *weight.shape[1:]))
    return Lowered(factors=factors, norm=total**0.5, residual=max(float(left[rank - 1]), 0.0) ** 0.5)


def balanced(factors: Factors) -> Factors:
    """The same product from halves of about the same size, so that neither leaves half precision's range.

    One half is multiplied and the other divided by the same power of two, which loses nothing.

    Args:
        factors: of any sizes.

    Returns:
        Factors with the same product.
    """
    up, down = float(factors.up.abs().max()), float(factors.down.abs().max())
    if up == 0.0 or down == 0.0:
        return factors
    shift = 2.0 ** round(log2(up / down) / 2)
    return Factors(up=factors.up / shift, down=factors.down * shift)


def rounding(exact: Factors, stored: Factors) -> float:
    """The difference between two products, without multiplying either out.

    Args:
        exact: factors in float64.
        stored: the same after rounding, in float64.

    Returns:
        Its Frobenius norm.
    """
    both = Factors(up=torch.cat([exact.up, -stored.up], dim=1), down=torch.cat([exact.down, stored.down]))
    return both.norm
