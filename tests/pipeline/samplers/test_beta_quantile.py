"""Quantiles as SciPy computes them."""

import numpy as np

from pipeline.samplers.beta_quantile import symmetric_quantile


def test_quantiles_are_those_of_scipy() -> None:
    """`scipy.stats.beta.ppf(share, 0.6, 0.6)` of SciPy 1.17, and both ends."""
    shares = np.array([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
    expected = [0.0, 0.03958440558878085, 0.17568037865269498, 0.5, 0.9604155944112192, 1.0]

    np.testing.assert_allclose(symmetric_quantile(shares, 0.6), expected, rtol=1e-13, atol=1e-16)
