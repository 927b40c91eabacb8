"""Closed formulas for arrangements of ``n`` hyperplanes in general position in ``R^m``.

Zaslavsky, *Facing up to arrangements* (1975); Stanley, *An introduction to hyperplane arrangements*, section 2.4.
"""

from __future__ import annotations

from math import comb


def regions(n: int, m: int) -> int:
    """Number of ``m``-dimensional cells."""
    return sum(comb(n, i) for i in range(m + 1))


def bounded_regions(n: int, m: int) -> int:
    """Number of bounded ``m``-dimensional cells; a point is bounded, and without hyperplanes nothing else is."""
    if n == 0:
        return int(m == 0)
    return comb(n - 1, m)


def faces(n: int, m: int, k: int) -> int:
    """Number of ``k``-dimensional cells: choose the ``m - k`` hyperplanes that meet in a flat; the others cut it."""
    return comb(n, m - k) * regions(n - m + k, k) if m - k <= n else 0


def bounded_faces(n: int, m: int, k: int) -> int:
    return comb(n, m - k) * bounded_regions(n - m + k, k) if m - k <= n else 0


def f_vector(n: int, m: int) -> tuple[int, ...]:
    return tuple(faces(n, m, k) for k in range(m + 1))
