"""Closed boxes in the input space."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

from exactfd import rationals
from exactfd.errors import InputError, ShapeError

Box = tuple[tuple[Fraction, ...], tuple[Fraction, ...]]


def parse_box(box: Any, dimension: int) -> Box | None:
    """Box as two tuples of fractions; raises ``InputError`` unless ``lo < hi`` in every coordinate."""
    if box is None:
        return None
    if type(box) is tuple and {*map(type, box)} <= {int, float}:
        return _kept(box, dimension)
    return _parsed(box, dimension)


def _parsed(box: Any, dimension: int) -> Box:
    try:
        low, high = box
    except (TypeError, ValueError):
        raise ShapeError(f"box: expected a pair (lo, hi), found {box!r}") from None
    sides = []
    for name, side in (("lo", low), ("hi", high)):
        if isinstance(side, str) or not hasattr(side, "__len__"):
            side = [side] * dimension
        values = rationals.vector(side, what=f"box {name}")
        if len(values) != dimension:
            raise ShapeError(f"box {name}: the network has {dimension} inputs, found {len(values)} coordinates")
        sides.append(tuple(rationals.to_fraction(value) for value in values))
    for i, (a, b) in enumerate(zip(*sides, strict=True)):
        if a >= b:
            found = " and ".join(rationals.format_rational(side) for side in (a, b))
            raise InputError(f"box: lo is below hi in every coordinate, found {found} in coordinate {i}")
    return sides[0], sides[1]


_kept = lru_cache(maxsize=16)(_parsed)  # the same two numbers for one network after the other
