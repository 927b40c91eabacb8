"""Which cells have the same affine map: exactly, and for many cells at once.

The rows of every layer are made integral, which scales every neuron by a positive number that no cell changes. The
affine maps are then integer matrices, and two of them are equal iff they are equal modulo primes whose product exceeds
the largest difference that two entries can have. Residues of all cells are products of matrices in floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from flint import fmpq, fmpz, fmpz_mat

from exactfd import rationals
from exactfd.budget import Budget, Progress, silent
from exactfd.linalg import modular
from exactfd.network import Network

SignArray = np.ndarray[Any, np.dtype[np.int8]]
FloatArray = np.ndarray[Any, np.dtype[np.float64]]
Classes = np.ndarray[Any, np.dtype[np.int64]]

_ENTRIES = 1 << 22  # of a table of residues that is held at once


def map_classes(
    network: Network, labels: SignArray, *, budget: Budget | None = None, progress: Progress = silent
) -> Classes:
    """The same number for two cells exactly where ``F`` has the same affine map on both, numbers from 0 upwards.

    ``labels`` has a ternary tuple in each row; labels 0 count as -1 (the output of the neuron is 0 on the cell either
    way). Exact.

    Raises ``BudgetExceeded`` when time or memory runs out.

    Source: the maps are those of Grigsby, Lindsey, Meyerhoff, Wu, arXiv 2209.04036, Lemma 2.8.

    >>> net = Network([([[1], [-1]], [0, 0]), ([[1, -1]], [0])])  # relu(x) - relu(-x) = x
    >>> map_classes(net, np.array([[-1, 1], [1, -1], [-1, -1]], dtype=np.int8)).tolist()
    [1, 1, 0]
    """
    limits = budget or Budget()
    layers, bound = _integer_layers(network)
    reducible = [modular.Integers([int(entry) for entry in layer.entries()]) for layer in layers]
    shapes = [(layer.nrows(), layer.ncols()) for layer in layers]
    masks = np.ascontiguousarray((labels > 0).T, dtype=np.float64)
    classes: Classes = np.zeros(len(labels), dtype=np.int64)
    open_cells = np.arange(len(labels))  # those that share their class with another cell
    product, needed = 1, 2 * bound
    primes = modular.primes()
    while product <= needed and len(open_cells) > 1:
        limits.check()
        prime = next(primes)
        residues = [table.modulo(prime).reshape(shape) for table, shape in zip(reducible, shapes, strict=True)]
        rows = np.concatenate(
            [classes[open_cells, None], _residues(residues, masks, open_cells, network, prime)], axis=1
        )
        inverse = np.unique(_as_one(rows), return_inverse=True)[1]
        classes[open_cells] = len(labels) + inverse.reshape(-1)  # apart from the classes of the cells that are settled
        classes = np.unique(classes, return_inverse=True)[1].reshape(-1)
        open_cells = np.flatnonzero(np.bincount(classes)[classes] > 1)
        product *= prime
        progress("affine maps", min(product.bit_length(), needed.bit_length()), needed.bit_length())
    return classes


def _residues(
    layers: Sequence[FloatArray], masks: FloatArray, cells: Classes, network: Network, prime: int
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Entries of the affine maps of some cells modulo a prime, one row a cell, in ``[0, prime)``."""
    columns, outputs = network.input_dimension + 1, network.output_dimension
    result = np.empty((len(cells), outputs * columns), dtype=np.int64)
    step = max(1, _ENTRIES // (columns * (1 + max(network.architecture))))
    for start in range(0, len(cells), step):
        part = cells[start : start + step]
        rows = np.repeat(np.eye(columns)[:, None, :], len(part), axis=1)  # inputs, cells, coefficients
        one, first = rows[-1:], 0
        for number, layer in enumerate(layers):
            z = modular.multiply(layer, rows.reshape(len(rows), -1), prime).reshape(len(layer), len(part), columns)
            if number < len(network.relu_widths):
                z *= masks[first : first + len(layer), part, None]
                first += len(layer)
            rows = np.concatenate([z, one])
        table = rows[:-1].transpose(1, 0, 2).reshape(len(part), -1)
        result[start : start + step] = table.astype(np.int64) % prime
    return result


def _as_one(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Each row as one value, to be compared and sorted as a whole."""
    return np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1] * rows.itemsize)))[:, 0]


def _integer_layers(network: Network) -> tuple[list[fmpz_mat], int]:
    """Each layer as integers ``n_l x (n_{l-1} + 1)``, and a bound for the entries of every product of masked layers."""
    layers: list[fmpz_mat] = []
    scales = [fmpq(1)] * network.input_dimension
    sizes = _identity(network.input_dimension + 1)  # of the entries, whatever the masks
    for number in range(1, network.depth + 1):
        rows, new_scales = [], []
        for row in network.augmented(number).tolist():
            weights = [entry / scale for entry, scale in zip(row[:-1], scales, strict=True)]
            integers, scale = rationals.primitive_row([*weights, row[-1]])
            rows.append(integers)
            new_scales.append(scale)
        layers.append(fmpz_mat(rows))
        scales = new_scales
        size = fmpz_mat([[abs(entry) for entry in row] for row in rows]) * sizes
        sizes = fmpz_mat([*size.tolist(), _identity(network.input_dimension + 1).tolist()[-1]])
    return layers, max(int(entry) for entry in sizes.entries())


def _identity(size: int) -> fmpz_mat:
    return fmpz_mat([[fmpz(int(i == j)) for j in range(size)] for i in range(size)])
