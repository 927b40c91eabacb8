"""Numerical rank by singular values: a number to compare with, never an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

FloatArray = np.ndarray[Any, np.dtype[np.floating[Any]]]


@dataclass(frozen=True)
class FloatRank:
    """Numerical rank with the evidence it rests on.

    Attributes
    ----------
    rank
        Number of singular values above ``tolerance``.
    tolerance
        ``max(shape) * eps * largest singular value``, NumPy's and MATLAB's rule.
    gap
        Ratio of the smallest kept to the largest dropped singular value (infinite when nothing or only zeros are
        dropped); a gap near one means that the rank is a matter of taste.
    """

    rank: int
    tolerance: float
    gap: float


def float_rank(table: FloatArray, *, scale_columns: bool = True) -> FloatRank:
    """Numerical rank of a float32 or float64 table, in its own precision. Not exact.

    With ``scale_columns`` each nonzero column is first divided by its largest entry, which changes no rank over Q and
    mends most of the errors that badly scaled parameters cause.
    """
    if table.size == 0:
        return FloatRank(0, 0.0, np.inf)
    if not np.isfinite(table).all():  # overflow: there is no numerical rank
        return FloatRank(0, float("nan"), 1.0)
    if scale_columns:
        size = np.abs(table).max(axis=0)
        table = table / np.where(size > 0, size, 1).astype(table.dtype)
    values = np.linalg.svd(table, compute_uv=False)
    tolerance = float(values[0]) * max(table.shape) * float(np.finfo(table.dtype).eps)
    found = int((values > tolerance).sum())
    dropped = float(values[found]) if found < len(values) else 0.0
    return FloatRank(found, tolerance, float(values[found - 1]) / dropped if found and dropped > 0 else np.inf)
