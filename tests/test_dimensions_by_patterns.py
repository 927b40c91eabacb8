"""Functional dimensions that activation patterns bound from above: the same numbers, and a kernel when asked for."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from flint import fmpq_mat, fmpz_mat

import exactfd
from batches import Ticking, degenerate_network, random_network
from exactfd import dimension
from exactfd.budget import Budget
from exactfd.cli.main import commands
from exactfd.errors import BudgetExceeded
from exactfd.geometry.labels import smooth_mask
from exactfd.linalg import modular
from oracles import functional_dimension as oracle
from strategies import degenerate_networks

PATTERNS = "all cells; the upper bound is what activation patterns leave"
KERNEL = "all cells; the upper bound is a verified kernel"


@pytest.fixture
def always(monkeypatch):
    """By patterns for small networks too."""
    monkeypatch.setattr(dimension, "_FEW", 0)


def rows_of_cells(network):
    """The coefficient rows of all smooth cells, exactly and cell by cell."""
    labels = exactfd.top_cells(network).labels
    labels = labels[smooth_mask(labels, network.relu_widths)].tolist()
    return fmpq_mat([row for one in labels for row in exactfd.cell_jacobian(network, one).tolist()])


def annihilated(network, vectors):
    """Whether all rows are, by exact products."""
    table = fmpz_mat(vectors).transpose()
    return not any(entry != 0 for entry in (rows_of_cells(network) * fmpq_mat(table)).entries())


def test_small_degenerate_networks_against_fractions(always):
    seen = 0
    for name, network in degenerate_networks(3, 84):
        if network.input_dimension > 2:  # the oracle takes long there
            continue
        result = exactfd.functional_dimension(network)
        layers = network.to_fractions()
        assert result.status == "proved", name
        assert result.value == oracle.functional_dimension(layers, network.output_activation), name
        seen += result.method == PATTERNS
    assert seen > 5


@pytest.mark.parametrize("loops", ["always", "never"])
@pytest.mark.parametrize("hidden", [1, 2])
def test_spoiled_networks_against_elimination(hidden, loops, always, monkeypatch):
    monkeypatch.setenv("EXACTFD_COMPILED", loops)
    rng, seen = np.random.default_rng(hidden), 0
    for _ in range(40):
        network = degenerate_network(rng, hidden)
        result = exactfd.functional_dimension(network)
        rows = rows_of_cells(network)
        assert result.value == (rows.rank() if rows.nrows() else 0)
        assert result.value == exactfd.functional_dimension(network, kernel=True).value
        seen += result.method == PATTERNS
    assert seen > 10


@pytest.mark.parametrize("sizes", [(2, 9, 9, 1), (2, 30, 1), (3, 8, 5, 1), (1, 12, 12, 1), (2, 12, 3), (2, 6, 14, 1)])
def test_the_kernel_is_solved_for_when_asked_for(sizes, always):
    network = random_network(1, sizes)
    result, solved = (exactfd.functional_dimension(network, kernel=kernel) for kernel in (False, True))
    rows = rows_of_cells(network)
    assert result.value == solved.value == rows.rank()
    if result.method != PATTERNS:
        assert not result.hidden_kernel
        return
    assert (result.solved, solved.method) == (None, KERNEL)
    vectors = [[int(entry) for entry in vector] for vector in result.hidden_kernel]
    assert len(vectors) == network.parametric_dimension - len(result.search.gauge.columns) - result.value
    assert annihilated(network, vectors)
    columns = list(result.solve())
    assert (fmpz_mat(vectors).rank(), len(columns)) == (len(vectors), len(vectors))
    block = [[vector[column] for column in columns] for vector in vectors]
    assert all((entry != 0) == (i == j) for i, row in enumerate(block) for j, entry in enumerate(row))
    assert result.hidden_kernel == solved.hidden_kernel
    assert len(result.kernel) == len(solved.kernel)


def test_without_a_kernel_nothing_is_missing():
    network = random_network(0, (2, 9, 9, 1))
    result = exactfd.functional_dimension(network)
    assert (result.method, result.solved) == (PATTERNS, None)
    assert result.certificate.check().valid
    assert result.certificate.to_dict() == exactfd.functional_dimension(network, kernel=True).certificate.to_dict()
    found, expected = exactfd.explain(exactfd.functional_dimension(network)), exactfd.explain(network)
    assert found.check()
    assert expected.check()
    assert (found.attributed, len(found.unexplained)) == (expected.attributed, len(expected.unexplained))


def test_a_budget_for_the_kernel():
    result = exactfd.functional_dimension(random_network(0, (2, 9, 9, 1)))
    with pytest.raises(BudgetExceeded):
        result.solve(budget=Budget(time_limit=1e-9))
    assert result.solved is None
    found = exactfd.explain(result, budget=Budget(time_limit=1e-9))
    assert (found.deficit, found.mechanisms, found.unexplained) == (
        result.network.upper_bound - result.value,
        [],
        None,
    )
    assert "time limit" in found.limit
    assert found.check()
    assert len(result.solve()) == len(result.hidden_kernel) > 0


def test_rows_passed_over_wrongly_cost_a_prime_and_nothing_else(monkeypatch):
    """The first sieve lets no row through: the rank is too small then, and no bound meets it."""
    network = random_network(2, (2, 9, 9, 1))
    truth = exactfd.functional_dimension(network)
    random_kernel, calls = modular.RowSpace.random_kernel, []

    def misleading(self, count, random):
        calls.append(self.prime)
        right = random_kernel(self, count, random)
        return np.zeros_like(right) if self.prime == calls[0] else right

    monkeypatch.setattr(modular.RowSpace, "random_kernel", misleading)
    result = exactfd.functional_dimension(network)
    assert len(set(calls)) > 1
    assert (result.value, result.status) == (truth.value, "proved")
    assert result.search.prime != calls[0]


def test_where_the_bound_does_not_meet_the_rank_vectors_do(monkeypatch):
    network = random_network(0, (2, 9, 9, 1))
    monkeypatch.setattr(dimension, "_bounded_by_patterns", lambda *args: False)
    result = exactfd.functional_dimension(network)
    assert (result.method, result.status) == (KERNEL, "proved")
    assert result.value == rows_of_cells(network).rank()


def test_little_memory_leaves_the_kernel(monkeypatch):
    network = random_network(0, (2, 9, 9, 1))
    monkeypatch.setattr(dimension, "has_room_for", lambda needed: needed == 0)
    assert exactfd.functional_dimension(network).method == KERNEL


def test_command_line(tmp_path):
    network, path = random_network(0, (2, 9, 9, 1)), tmp_path / "net.json"
    exactfd.save(network, path)

    def answer(*options):
        return json.loads(CliRunner().invoke(commands, ["dim", str(path), "--json", "--quiet", *options]).stdout)

    plain, full = answer(), answer("--kernel")
    assert (plain["method"], full["method"]) == (PATTERNS, KERNEL)
    assert plain["functional_dimension"] == full["functional_dimension"]
    assert len(full["kernel"]) == network.parametric_dimension - full["functional_dimension"]


@pytest.mark.parametrize("sizes", [(2, 1), (2, 3, 1), (3, 2, 2)])
def test_a_budget_spent_in_the_middle_of_a_cell_leaves_a_certificate_that_holds(sizes, monkeypatch):
    """Rows of one cell come in several parts; points of the cell then see more of it than was eliminated."""
    monkeypatch.setattr("exactfd.rankproof._ENTRIES", 1)
    network, seen = random_network(0, sizes), set()
    for looks in range(1, 9):
        result = exactfd.functional_dimension(network, budget=Ticking(looks))
        assert result.certificate.check().valid
        seen.add(result.lower)
    assert len(seen) > 2
