"""Numeric gradients: slow, simple, and independent of any formula for a layer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def numeric_gradient(
    f: Callable[[np.ndarray], np.ndarray], x: np.ndarray, df: np.ndarray, h: float = 1e-5
) -> np.ndarray:
    """The gradient of ``sum(f(x) * df)`` with respect to x, by central differences.

    Each number in x is moved up by h and down by h; what f does in answer, divided by 2h, is its
    slope. So f is called 2 * x.size times: keep x small.

    Args:
        f: takes an array of x's shape, returns an array (or a number) of df's shape.
        x: any shape. Converted to float64; x itself is not changed.
        df: the gradient that arrives at f's output, of the output's shape.
        h: the step. 1e-5 balances the error of the difference (h squared) against the
            rounding of float64 (1e-16 / h).

    Returns:
        A float64 array of x's shape.

    Raises:
        ValueError: f's output does not have df's shape.

    Source: the definition of the derivative; the error of a central difference is O(h^2).
    """
    x = np.array(x, dtype=np.float64)
    df = np.asarray(df, dtype=np.float64)
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        kept = x[i]
        x[i] = kept + h
        above = np.array(f(x), dtype=np.float64)
        x[i] = kept - h
        below = np.array(f(x), dtype=np.float64)
        x[i] = kept
        if above.shape != df.shape:
            raise ValueError(f"f(x) has shape {above.shape}, df has shape {df.shape}")
        gradient[i] = np.sum((above - below) * df) / (2 * h)
    return gradient


def relative_error(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference between a and b, as a fraction of their largest number.

    Args:
        a, b: arrays of the same shape, any real dtype.

    Returns:
        max|a - b| / max(|a| + |b|), a Python float: 0 when both are zero or empty, about 1e-9 for
        a right gradient in float64, above 1e-3 for a wrong one. NaN if either holds a NaN.

    Raises:
        ValueError: the shapes differ. (Broadcasting would hide that mistake.)
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"the shapes differ: {a.shape} and {b.shape}")
    scale = np.max(np.abs(a) + np.abs(b), initial=0.0)
    difference = np.max(np.abs(a - b), initial=0.0)
    return float(difference / scale) if scale != 0 else 0.0
