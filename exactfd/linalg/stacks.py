"""Residues modulo many primes at once, the primes in front: small tables modulo one prime after the other would cost
more calls than numbers.

Residues are as in :mod:`exactfd.linalg.modular`; ``moduli`` are the primes as floats, shaped so that they broadcast
against the arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from exactfd import compiled
from exactfd.linalg.modular import CHUNK, FloatArray, Integers

_LONG = 4096  # entries from which on a compiled loop is worth the call
_LOOPS = "exactfd.linalg.stacks_loops"
_PIECES = 1 << 20  # entries of a table of pieces that is held as floats at once


def moduli(primes: Sequence[int], dimensions: int) -> FloatArray:
    """Primes, to broadcast against arrays of so many dimensions."""
    return np.array(primes, dtype=np.float64).reshape(-1, *[1] * (dimensions - 1))


def reduce(values: FloatArray, moduli: FloatArray, *, overwrite: bool = False) -> FloatArray:
    """As :func:`exactfd.linalg.modular.reduce`, with the same bounds, each part of an array by its own prime. With
    ``overwrite`` the values may be overwritten.
    """
    if values.size >= _LONG and len(values) == len(moduli) and (loops := compiled.loops(_LOOPS)):
        result = values if overwrite and values.flags.c_contiguous else np.array(values, order="C")
        loops.reduce_in_place(result.reshape(len(moduli), -1), moduli.reshape(-1))
        return result
    quotient = values * (1.0 / moduli)
    np.rint(quotient, out=quotient)
    quotient *= moduli
    return np.subtract(values, quotient, out=quotient)


def multiply(left: FloatArray, right: FloatArray, moduli: FloatArray) -> FloatArray:
    """``left @ right``, matrix by matrix, reduced. Exact."""
    inner = left.shape[-1]
    if inner <= CHUNK:
        return reduce(np.matmul(left, right), moduli, overwrite=True)
    parts = [slice(start, start + CHUNK) for start in range(0, inner, CHUNK)]
    terms = [reduce(np.matmul(left[..., part], right[..., part, :]), moduli, overwrite=True) for part in parts]
    return reduce(np.add.reduce(terms), moduli, overwrite=True)


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
    return reduce(result * integers.signs, column, overwrite=True)
