"""Floats with rigorous bounds on their errors: what is done to them besides adding up.

Invariant, for every entry: ``|true - value| <= error``, and ``error == 0`` if and only if the entry is known to be
exactly zero.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from exactfd.geometry.bits import BoolArray

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

UNIT = 2.0**-53  # unit roundoff of binary64
SLACK = 1.0 + 1e-9  # covers the rounding errors made while computing the bounds themselves
FLOOR = 1e-300  # covers underflow; added to every nonzero entry's bound
HUGE = 1e290  # beyond this a float may have overflowed on the way: treat as unknown
FAINT = 1e-15  # smaller shares of a bound, and weights in one, count as this: float32 holds the products
TINY = 1e-280  # smaller exact values are represented by this one, with an error bound as large


def weights(
    at_u: FloatArray, at_v: FloatArray, error_u: FloatArray, error_v: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Weight of ``u`` at the zero of a function with opposite signs at ``u`` and ``v``, and a bound on its error.

    With ``a``, ``b`` the sizes at ``u`` and ``v``, the weight is ``b / (a + b)``.
    """
    a, b = np.abs(at_u), np.abs(at_v)
    total = a + b
    weight = b / total
    certain = total - error_u - error_v
    # quotients first: a product of two small numbers may underflow, and the bound with it
    drift = (error_v / total * (a / certain) + error_u / total * (b / certain)) * SLACK + 8 * UNIT
    known = (certain > 0.25 * total) & (drift < 1.0) & np.isfinite(weight)
    return np.where(known, weight, 0.5), np.where(known, drift, 1.0)


@cache
def kind_of_bounds() -> type[np.floating[Any]]:
    """float32, unless the library behind NumPy has been told to multiply such numbers as shorter ones (bfloat16)."""
    near_one = np.full((64, 64), 1.0 + 2.0**-12, dtype=np.float32)
    exact = 64.0 * (1.0 + 2.0**-12) ** 2
    return np.float32 if (abs(np.matmul(near_one, near_one) / exact - 1.0) < 72 * 2.0**-23).all() else np.float64


def rectified(
    values: FloatArray, errors: FloatArray, active: BoolArray, finite: BoolArray, rounding: float
) -> tuple[FloatArray, np.ndarray[Any, np.dtype[np.float32]], FloatArray]:
    """Inputs of the next layer; bounds on their errors and what they add to the rounding of a dot product, as shares of
    the largest one in each row; and that one. Shares are zero for exact zeros alone, and products of them are not.
    """
    on = np.concatenate([active, finite[:, None]], axis=1)
    inputs = np.maximum(values, 0.0)
    np.copyto(inputs, 0.0, where=~on)
    bounds = np.maximum(inputs, 1e-250)
    bounds *= rounding
    bounds += errors
    np.copyto(bounds, 0.0, where=~on)
    largest = bounds.max(axis=1, initial=0.0)
    known = largest < np.inf  # not NaN either
    largest[~known] = np.inf
    shares = np.maximum(bounds * (1.0 / largest)[:, None], FAINT)
    shares[~known] = 1.0
    np.copyto(shares, 0.0, where=bounds == 0.0)
    return inputs, shares.astype(np.float32), largest
