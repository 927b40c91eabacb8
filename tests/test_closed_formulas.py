"""One hidden layer in general position: face counts are binomial sums, whatever the hyperplanes are."""

from __future__ import annotations

import random
from fractions import Fraction
from functools import cache
from itertools import combinations

import pytest

import exactfd
from exactfd.network import Network
from oracles import formulas, fractions_net


@cache
def generic_rows(n: int, n0: int) -> tuple[tuple[int, ...], ...]:
    """``n`` rows (weights, bias) in general position: every minor that has to be nonzero is computed exactly.

    Every ``n0`` normals (fewer when ``n < n0``) are independent, and no ``n0 + 1`` hyperplanes share a point. Rows are
    drawn one at a time and kept when they stay in general position with those before.
    """
    source = random.Random(1000 * n0 + 7)
    rows: list[tuple[int, ...]] = []
    while len(rows) < n:
        row = tuple(source.randint(-20, 20) for _ in range(n0 + 1))
        if in_general_position([*rows, row]):
            rows.append(row)
    return tuple(rows)


def in_general_position(rows: list[tuple[int, ...]]) -> bool:
    """Whether the last row is in general position with the others (which are among themselves)."""
    *before, last = rows
    n0 = len(last) - 1
    size = min(n0 - 1, len(before))
    for chosen in combinations(before, size):
        if fractions_net.rank([row[:-1] for row in (*chosen, last)]) <= size:
            return False
    return all(fractions_net.determinant([*chosen, last]) != 0 for chosen in combinations(before, n0))


def one_layer_network(rows: tuple[tuple[int, ...], ...]) -> Network:
    hidden = [row[:-1] for row in rows], [row[-1] for row in rows]
    return Network([hidden, ([[1] * len(rows)], [0])])


@pytest.mark.parametrize(("n", "n0"), [(n, n0) for n0 in range(1, 6) for n in range(1, 13)])
def test_general_position(n, n0):
    """``f_k = C(n, n0-k) sum_{i<=k} C(n-n0+k, i)`` for every ``k``, and Zaslavsky's bounded regions."""
    computed = exactfd.canonical_complex(one_layer_network(generic_rows(12, n0)[:n]))
    assert computed.f_vector == formulas.f_vector(n, n0)
    assert computed.top_cells == computed.smooth_top_cells == formulas.regions(n, n0)
    assert computed.bounded_top_cells == formulas.bounded_regions(n, n0)
    assert computed.euler_characteristic == (-1) ** n0
    assert computed.generic is True
    assert computed.supertransversal


@pytest.mark.parametrize(("n", "n0"), [(n, n0) for n0 in range(1, 5) for n in (n0, n0 + 2, 7)])
def test_bounded_faces_of_every_dimension(n, n0):
    computed = exactfd.canonical_complex(one_layer_network(generic_rows(12, n0)[:n]))
    for k in range(n0 + 1):
        assert sum(cell.bounded for cell in computed.cells(dimension=k)) == formulas.bounded_faces(n, n0, k)


@pytest.mark.parametrize("n0", [1, 2, 3, 4])
def test_moment_curve(n0):
    """Rows (t, t^2, ..., t^{n0 + 1}): general position by Vandermonde, and badly conditioned in floating point."""
    rows = tuple(tuple(t**k for k in range(1, n0 + 2)) for t in range(-5, 6) if t)
    assert all(in_general_position(list(rows[: i + 1])) for i in range(len(rows)))
    computed = exactfd.canonical_complex(one_layer_network(rows))
    assert computed.f_vector == formulas.f_vector(len(rows), n0)
    assert computed.bounded_top_cells == formulas.bounded_regions(len(rows), n0)


@pytest.mark.parametrize("n0", [2, 3])
def test_one_coincidence_is_seen(n0):
    """Move one hyperplane through a vertex of the others: fewer cells, and not generic."""
    rows = [list(row) for row in generic_rows(12, n0)[: n0 + 2]]
    # The kernel of the augmented rows is spanned by (vertex, 1).
    (line,) = fractions_net.kernel(rows[:n0], n0 + 1)
    vertex = [entry / line[-1] for entry in line[:-1]]
    weights = [row[:-1] for row in rows]
    biases = [Fraction(row[-1]) for row in rows]
    biases[-1] = -sum((w * x for w, x in zip(weights[-1], vertex, strict=True)), Fraction(0))
    computed = exactfd.canonical_complex(Network([(weights, biases), ([[1] * len(rows)], [0])]))
    generic = formulas.f_vector(len(rows), n0)
    # The pencil of n0 + 1 hyperplanes replaces a small simplex: one region and n0 vertices disappear.
    assert computed.top_cells == generic[-1] - 1
    assert computed.f_vector[0] == generic[0] - n0
    assert computed.generic is False
    assert not computed.supertransversal
