"""The quantiles of the beta distribution, without SciPy: its import would take a device's start another 0.8 s."""

from math import gamma
from typing import Final

import numpy as np
import numpy.typing as npt

_TERMS: Final = 60
_HALVINGS: Final = 60


def symmetric_quantile(shares: npt.NDArray[np.float64], shape: float) -> npt.NDArray[np.float64]:
    """Below which values the given shares of Beta(shape, shape) are.

    Args:
        shares: each from 0 to 1.
        shape: both of the distribution's parameters, above 0.

    Returns:
        For each share a value from 0 to 1.
    """
    lower = np.minimum(shares, 1 - shares)
    low, high = np.zeros_like(lower), np.full_like(lower, 0.5)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = _share_below(middle, shape) < lower
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.where(shares > 0.5, 1 - low, low)


def _share_below(values: npt.NDArray[np.float64], shape: float) -> npt.NDArray[np.float64]:
    """The regularized incomplete beta function by its power series (DLMF 8.17.8), for values up to a half."""
    term = total = np.ones_like(values)
    for index in range(_TERMS):
        term = term * (2 * shape + index) / (shape + 1 + index) * values
        total = total + term
    whole = gamma(shape) ** 2 / gamma(2 * shape)
    below: npt.NDArray[np.float64] = (values * (1 - values)) ** shape * total / (shape * whole)
    return below
