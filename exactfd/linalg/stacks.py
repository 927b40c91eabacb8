"""Residues modulo many primes at once, the primes in front: small tables modulo one prime after the other would cost
more calls than numbers.

Residues are as in :mod:`exactfd.linalg.modular`; ``moduli`` are the primes as floats, shaped so that they broadcast
against the arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from exactfd.linalg.modular import CHUNK, FloatArray, Integers

_PIECES = 1 << 20  # entries of a table of pieces that is held as floats at once


def moduli(primes: Sequence[int], dimensions: int) -> FloatArray:
    """Primes, to broadcast against arrays of so many dimensions."""
    return np.array(primes, dtype=np.float64).reshape(-1, *[1] * (dimensions - 1))


def reduce(values: FloatArray, moduli: FloatArray) -> FloatArray:
    """As :func:`exactfd.linalg.modular.reduce`, with the same bounds, each part of an array by its own prime."""
    quotient = values * (1.0 / moduli)
    np.rint(quotient, out=quotient)
    quotient *= moduli
    np.subtract(values, quotient, out=quotient)
    return quotient


def multiply(left: FloatArray, right: FloatArray, moduli: FloatArray) -> FloatArray:
    """``left @ right``, matrix by matrix, reduced. Exact."""
    inner = left.shape[-1]
    if inner <= CHUNK:
        return reduce(np.matmul(left, right), moduli)
    parts = [slice(start, start + CHUNK) for start in range(0, inner, CHUNK)]
    terms = [reduce(np.matmul(left[..., part], right[..., part, :]), moduli) for part in parts]
    return reduce(np.add.reduce(terms), moduli)


def integers_modulo(integers: Integers, primes: Sequence[int]) -> FloatArray:
    """Long integers modulo some primes, ``primes x values``."""
    column = moduli(primes, 2)
    longest = max((pieces.shape[1] for _, pieces in integers.groups), default=0)
    powers = np.ones((len(primes), max(longest, 1)))  # of 2^16
    for i in range(1, longest):
        powers[:, i] = reduce(powers[:, i - 1, None] * 2.0**16, column)[:, 0]
    result = np.empty((len(primes), len(integers.signs)))
    for indices, pieces in integers.groups:
        weights = powers[:, : pieces.shape[1]]
        for start in range(0, len(indices), max(1, _PIECES // pieces.shape[1])):
            part = slice(start, start + max(1, _PIECES // pieces.shape[1]))
            result[:, indices[part]] = multiply(weights, pieces[part].T.astype(np.float64), column)
    return reduce(result * integers.signs, column)
