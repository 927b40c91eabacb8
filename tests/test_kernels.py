"""Systems that kernel vectors are solved from: integer rows against the exact entries, and which rows they are."""

from __future__ import annotations

import math
import random
from itertools import product

import numpy as np
import pytest
from flint import fmpq, fmpz, fmpz_mat
from hypothesis import given
from hypothesis import strategies as st

from exactfd import kernels
from exactfd.geometry.labels import smooth_mask
from exactfd.geometry.location import ternary_tuples
from exactfd.jacobians import ModularNetwork
from exactfd.kernels import ExactRows, independent
from exactfd.linalg import exact, modular
from exactfd.points import checked_points
from exactfd.rankproof import RankSearch
from strategies import degenerate_networks

PRIME = next(modular.primes())


def test_integer_entries_are_the_exact_ones_up_to_a_factor_of_the_row_and_one_of_the_layer():
    rng, seen = np.random.default_rng(2), 0
    for name, network in degenerate_networks(2, 40):
        points = checked_points(rng.integers(-20, 21, (4, network.input_dimension)) / 4, network.input_dimension)
        labels = ternary_tuples(network, points)
        mask = smooth_mask(labels, network.relu_widths)
        search = RankSearch.start(network)
        search.add_cells(labels[mask][:2])
        search.add_points(labels[mask], points.take(np.flatnonzero(mask).tolist()))
        rows = ExactRows(search, [search.row(number) for number in range(search.seen)])
        parameters = list(range(network.parametric_dimension))
        places = [rows._places[parameter] for parameter in parameters]
        for number in range(search.seen):
            exact, integers = rows.entries(number, parameters), rows._scaled(number, places)
            found = [entry * rows._scales[place[0]] for entry, place in zip(integers, places, strict=True)]
            pairs = list(zip(found, exact, strict=True))
            factors = {fmpq(x) / y for x, y in pairs if y != 0}
            assert all((x == 0) == (y == 0) for x, y in pairs), name
            assert len(factors) <= 1, name
            assert all(factor > 0 for factor in factors), name
            seen += bool(factors)
    assert seen > 100


@pytest.mark.parametrize("seed", range(20))
def test_independent_rows(seed):
    rng = np.random.default_rng(seed)
    table = rng.integers(-2, 3, (12, 3)) @ rng.integers(-2, 3, (3, 9))
    columns = rng.choice(9, 4, replace=False).tolist()
    rows = independent(table, columns, PRIME)
    some = fmpz_mat(table[:, columns].tolist()).rank()
    assert len(rows) == len(set(rows)) == some
    assert fmpz_mat(table[rows][:, columns].reshape(len(rows), 4).tolist()).rank() == some if rows else some == 0


@pytest.mark.parametrize("seed", range(20))
def test_rows_are_the_same_however_they_are_stacked(monkeypatch, seed):
    rng = np.random.default_rng(seed)
    _, network = next(iter(degenerate_networks(seed, 1)))
    labels = rng.integers(-1, 2, (6, sum(network.relu_widths))).astype(np.int8)
    some = rng.permutation(network.parametric_dimension)[: rng.integers(1, network.parametric_dimension + 1)]
    points = checked_points(rng.integers(-5, 6, (6, network.input_dimension)), network.input_dimension)
    tables = []
    for mode in ("never", "always"):
        monkeypatch.setenv("EXACTFD_COMPILED", mode)
        reduced = ModularNetwork.reduce(network, PRIME)
        for parameters in (None, some):
            on_cells, at_none = (reduced.cell_rows(cells, None, parameters) for cells in (labels, labels[:0]))
            tables += [[on_cells, at_none, reduced.point_rows(labels, points, parameters)]]
    for plain, compiled in zip(tables[:2], tables[2:], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(plain, compiled, strict=True))
    assert all(np.array_equal(a[:, some], b) for a, b in zip(*tables[:2], strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_dependencies_are_primitive_and_vanish(seed):
    rng = random.Random(seed)
    count, others, bits = rng.randint(0, 12), rng.randint(0, 5), rng.choice([2, 60, 400])
    while True:
        columns = [[fmpz(rng.randint(-(2**bits), 2**bits)) for _ in range(count)] for _ in range(count + others)]
        if count == 0 or fmpz_mat(columns[:count]).det() != 0:
            break
    found = exact.dependencies(columns[:count], columns[count:])
    assert len(found) == others
    for vector, column in zip(found, columns[count:], strict=True):
        terms = [*columns[:count], column]
        assert all(sum(x * term[i] for x, term in zip(vector, terms, strict=True)) == 0 for i in range(count))
        assert math.gcd(*map(int, vector)) == 1
        assert vector[-1] > 0


def test_vectors_solved_for_together_are_those_solved_for_alone(monkeypatch):
    alike, compared = kernels._alike, 0

    def together(supports):
        return [list(range(len(supports)))]

    def alone(supports):
        return [[i] for i in range(len(supports))]

    for name, network in degenerate_networks(5, 80):
        search = RankSearch.start(network)
        labels = np.array(list(product([-1, 1], repeat=sum(network.relu_widths)))[:64], dtype=np.int8)
        search.add_cells(labels)
        found = []
        for way in (alike, together, alone):
            monkeypatch.setattr(kernels, "_alike", way)
            found.append(kernels.kernel(search))
        assert found[0] == found[1] == found[2], name
        compared += len(found[0])
    assert compared > 100


@given(st.lists(st.sets(st.integers(0, 12), max_size=8), max_size=40))
def test_alike_supports(supports):
    supports.sort(key=len)
    groups = list(kernels._alike(supports))
    assert [i for group in groups for i in group] == list(range(len(supports)))
    for group in groups:
        union = set().union(*(supports[i] for i in group))
        assert len(group) == 1 or len(union) <= 1.2 * len(supports[group[-1]])
        assert len(group) <= 16
