"""Systems that kernel vectors are solved from: integer rows against the exact entries, and which rows they are."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq, fmpz, fmpz_mat

from exactfd.geometry.labels import smooth_mask
from exactfd.geometry.location import ternary_tuples
from exactfd.kernels import ExactRows, independent
from exactfd.linalg import modular
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
        rows = ExactRows(search, [search.row(number) for number in range(search.space.seen)])
        parameters = list(range(network.parametric_dimension))
        places = [rows._places[parameter] for parameter in parameters]
        for number in range(search.space.seen):
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


def test_solutions_are_primitive():
    assert solution([]) == [1]
    assert solution([[fmpz(2), fmpz(6)]]) == [-3, 1]
    assert solution([[fmpz(4), fmpz(0), fmpz(-6)], [fmpz(0), fmpz(2), fmpz(5)]]) == [3, -5, 2]
