"""Networks and batches, most of them degenerate, for tests of bounds that patterns give."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

import exactfd
from exactfd.batchproofs import BatchRows
from exactfd.budget import Budget, silent
from exactfd.errors import BudgetExceeded
from exactfd.geometry.location import ternary_tuples
from exactfd.jacobians import ModularNetwork, jacobian
from exactfd.linalg import exact, modular
from exactfd.patterns import counts
from strategies import smooth

PRIME = next(modular.primes())


def random_network(seed, sizes):
    rng = np.random.default_rng(seed)
    return exactfd.Network(
        [(rng.standard_normal((n, m)) * np.sqrt(2 / m), rng.standard_normal(n) / 10) for m, n in pairwise(sizes)]
    )


def degenerate_network(rng, hidden, *, cut=False):
    """So many hidden layers and one output with nonzero weights, spoiled in several ways at once; or all but the last
    layer of such a network.
    """
    sizes = [*rng.integers(1, 4, 1), *rng.integers(1, 7 if hidden == 2 else 6, hidden), 1]
    dyadic = rng.random() < 0.5

    def matrix(n, m):
        table = np.round(rng.standard_normal((n, m)) * 64) / 64 if dyadic else rng.integers(-3, 4, (n, m)).astype(float)
        return np.where(rng.random((n, m)) < 0.4 * (rng.random() < 0.3), 0.0, table)

    layers = [[matrix(n, m), matrix(n, 1)[:, 0]] for m, n in pairwise(sizes)]
    for (a, b), (c, _) in pairwise(layers):
        if rng.random() < 0.3:  # twins
            a[-1], b[-1] = a[0], b[0]
        elif rng.random() < 0.3 and len(a) > 1:  # opposite neurons
            a[-1], b[-1] = -a[0], -b[0]
        if rng.random() < 0.3:  # some are always active
            b[: (len(b) + 1) // 2] += 50
        if rng.random() < 0.2:  # nothing leaves a neuron
            c[:, rng.integers(len(a))] = 0
    layers[-1][0][layers[-1][0] == 0] = 1
    layers = list(map(tuple, layers[:-1] if cut else layers))
    return exactfd.Network(layers, output_activation="relu" if rng.random() < 0.3 else "identity")


def batch(rng, network):
    """Smooth points on a grid, on a line, near each other, or anywhere; two of them twice."""
    n, kind, count = network.input_dimension, rng.integers(4), int(rng.choice([1, 3, 8, 40, 120]))
    points = rng.integers(-40, 41, (count, n)) / 8
    if kind == 1:
        points = np.outer(rng.integers(-9, 10, count) / 4, rng.integers(-2, 3, n)) + 1 / 8
    if kind == 2:
        points = points / 16
    if kind == 3:
        points = rng.standard_normal((count, n))
    return smooth(network, np.concatenate([points, points[:2]]))


def true_rank(network, points):
    return exact.rank(jacobian(network, points)) if len(points) else 0


def eliminated(reduced, points):
    rows = BatchRows(reduced, ternary_tuples(reduced.network, points), points)
    rows.eliminate(Budget(), silent)
    return rows


def kernel_for(way, rows):
    """As many vectors of the kernel of all rows as a way to bound their rank asks for."""
    none = np.zeros(len(rows.numbers), dtype=bool)
    return rows.kernel_vectors(way.vectors_wanted(rows.network, rows.labels), none)


def bound_of(way, rows, budget=None):
    """The bound of a module for all rows, by vectors of their kernel."""
    return way.pattern_bound(rows.reduced, rows.labels, kernel_for(way, rows), budget or Budget())


def reduced_batches(rng, prime, networks):
    """Batches of networks modulo a prime, their labels, Jacobians modulo the prime, and true ranks."""
    for network in networks:
        points, reduced = batch(rng, network), ModularNetwork.reduce(network, prime)
        if len(points) and reduced is not None and points.modulo(prime) is not None:
            labels = ternary_tuples(network, points)
            yield reduced, labels, reduced.point_rows(labels, points), true_rank(network, points)


def bounds_by_any_vectors(way, rng, reduced, labels, table):
    """Bounds by vectors of kernels of all rows or some, or by hardly any vectors."""
    network, prime = reduced.network, reduced.prime
    count, size = way.vectors_wanted(network, labels), network.parametric_dimension
    for share in (0.0, 0.5, 0.9, 1.0):
        basis = modular.kernel(table[rng.random(len(table)) < share], prime)[0]
        for some in (basis, basis[: len(basis) // 2]):
            vectors = modular.random_combinations(some, count, rng, prime) if len(some) else np.zeros((count, size))
            yield way.pattern_bound(reduced, labels, vectors, Budget())


def with_random_matrices(rng):
    """In place of ``Count._found``: what it finds, and some matrices that hardly ever are in the span of the rows."""
    original = counts.Count._found

    def random_matrices(self, block, pairs, ends, factors):
        found = original(self, block, pairs, ends, factors)
        combinations = rng.integers(-1, 2, (rng.integers(0, 3), len(pairs))).astype(float)
        width = self._cells.second.shape[1]
        matrices = pairs[:, :width, None] * pairs[:, None, width:]
        tensors = np.einsum("gp,pij->gij", combinations, matrices)
        both = np.concatenate([found.tensors, tensors]), np.concatenate([found.ends, combinations @ ends])
        return counts.Matrices(block, *both)

    return random_matrices


class Ticking(Budget):
    """Runs out at its n-th look."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def check(self, *, cells: int = 0, bytes_needed: int = 0) -> None:
        self.looks -= 1
        if self.looks < 0:
            raise BudgetExceeded("no more looks")
