"""The search around the claims: predicates, budgets, interrupts, and how finds become small."""

from __future__ import annotations

import json
import time
from fractions import Fraction

import pytest

import exactfd
from exactfd import Budget, Network
from exactfd.errors import BudgetExceeded, InputError
from exactfd.search import CLAIMS, PredicateError, search
from exactfd.search.candidates import EVERY, FAMILIES, GENERAL, MOVE, Candidates
from exactfd.search.saving import save_result
from exactfd.search.shrink import Descent, size

SECOND = Network([([[5, -7], [3, 2]], [4, 1]), ([["7/3", 2]], [9])])


# ------------------------------------------------------------------ predicates


def test_a_predicate():
    """Found, made small, and true of what is reported."""

    def is_zero_at_one_and_not_at_two(network):
        return network.evaluate([1]) == (0,) != network.evaluate([2])

    result = search(is_zero_at_one_and_not_at_two, architecture=(1, 2, 1), tries=2000)
    assert result.found
    assert result.claim == "is_zero_at_one_and_not_at_two"
    assert is_zero_at_one_and_not_at_two(result.network)
    assert result.network.architecture == (1, 1, 1)
    assert result.certificates == []
    kept = search(is_zero_at_one_and_not_at_two, architecture=(1, 2, 1), tries=2000, keep_architecture=True)
    assert kept.network.architecture == (1, 2, 1)
    assert size(result.networks) < size(result.first)


def test_a_predicate_that_is_never_true():
    seen = []
    result = search(lambda network: seen.append(network), architecture=(1, 1), tries=50)
    assert not result.found
    assert (result.stopped, len(seen), sum(result.tried.values())) == ("tries", 50, 50)
    assert all(network.architecture == (1, 1) for network in seen)
    assert result.tried[EVERY] == 5


def test_small_parameter_spaces_are_exhausted():
    seen = set()
    result = search(lambda network: seen.add(network.theta()), architecture=(1, 1), tries=200)
    assert {(Fraction(a), Fraction(b)) for a in (-1, 0, 1) for b in (-1, 0, 1)} <= seen
    assert result.notes == [f"{EVERY}: all of them were tried"]


def test_a_predicate_that_raises():
    calls = []

    def fragile(network):
        calls.append(network)
        if len(calls) == 5:
            raise ZeroDivisionError("no\nway")
        return False

    with pytest.raises(PredicateError, match="fragile raised ZeroDivisionError: no way") as caught:
        search(fragile, tries=100)
    assert caught.value.network == calls[-1]
    assert isinstance(caught.value, InputError)
    assert len(calls) == 5


def test_a_predicate_that_raises_while_a_find_is_made_small():
    calls = []

    def fragile(network):
        calls.append(network)
        if len(calls) == 4:
            raise RuntimeError("too small")
        return True

    result = search(fragile, tries=100)
    assert result.found
    assert result.network == calls[-2]
    assert result.raised == calls[-1]
    assert "too small" in result.notes[0]


@pytest.mark.parametrize("claim", ["no-such-claim", "", 7, None])
def test_no_such_claim(claim):
    with pytest.raises(InputError) as caught:
        search(claim)
    if isinstance(claim, str):
        assert all(name in str(caught.value) for name in CLAIMS)


# ------------------------------------------------------------------ budgets and interrupts


@pytest.mark.parametrize("tries", [0, -1, 1.5, True])
def test_tries(tries):
    with pytest.raises(InputError, match="tries"):
        search("hidden-symmetry", tries=tries)


def test_no_time():
    with pytest.raises(InputError, match="time_limit"):
        Budget(time_limit=0)
    result = search(lambda network: False, budget=Budget(time_limit=0.2))
    assert (result.found, result.stopped) == (False, "limit")


def test_time_ends_making_a_find_small():
    result = search(lambda network: time.sleep(0.2) is None, architecture=(3, 9, 9, 1), budget=Budget(time_limit=2))
    assert result.found
    assert result.notes == ["the limit ended the attempts to make it smaller"]


def test_what_a_limit_leaves_undecided_is_counted():
    result = search("tpic-without-lra", tries=20, budget=Budget(max_cells=3))
    assert not result.found
    assert 15 <= result.skipped < 20  # some have two cells, or three


def test_interrupted_before_a_find():
    calls = []

    def interrupted(network):
        calls.append(network)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return False

    result = search(interrupted)
    assert (result.found, result.stopped, sum(result.tried.values())) == (False, "interrupted", 7)


def test_interrupted_while_a_find_is_made_small():
    calls = []

    def interrupted(network):
        calls.append(network)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return True

    result = search(interrupted)
    assert (result.found, result.stopped) == (True, "interrupted")
    assert result.network == calls[1]


def test_interrupted_while_certificates_are_written(monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("exactfd.search.claims.dimension_certificate", interrupted)
    result = search("attains-upper-bound", tries=100)
    assert (result.found, result.stopped, result.certificates) == (True, "interrupted", [])
    assert result.notes == ["no certificate was written: interrupted"]


def test_an_undecided_candidate_is_no_find(monkeypatch):
    """Bounds are not enough, whatever they are."""
    from exactfd.search import claims

    def bounds(network, **options):
        result = exactfd.functional_dimension(network)
        return claims.DimensionResult(
            network, 0, network.upper_bound, "", None, False, None, {}, result.search, limit="out of time"
        )

    monkeypatch.setattr(claims, "functional_dimension", bounds)
    result = search("misses-upper-bound", tries=10)
    assert (result.found, result.skipped) == (False, 10)


# ------------------------------------------------------------------ candidates


@pytest.mark.parametrize("kind", [*FAMILIES])
@pytest.mark.parametrize("sizes", [(1, 1), (2, 3), (1, 1, 1), (2, 3, 2, 1)])
def test_every_family_has_every_architecture(kind, sizes):
    for seed in range(5):
        found, network = Candidates(sizes, "relu", [kind], seed).next(None)
        assert found == kind
        assert network.architecture == sizes
        assert network.output_activation == "relu"


def test_candidates_are_deterministic_and_short():
    def some(seed):
        candidates, best = Candidates((2, 3, 1), "identity", GENERAL, seed), None
        result = []
        for _ in range(60):
            kind, best = candidates.next(best)
            result.append((kind, best))
        return result

    assert some(0) == some(0) != some(1)
    assert {kind for kind, _ in some(0)} == set(GENERAL) - {EVERY}  # 3^13 parameters are too many
    assert all(x.denominator <= 2**20 for kind, n in some(0) for x in n.theta() if kind != MOVE)


# ------------------------------------------------------------------ making small


def test_the_descent_ends_where_no_step_keeps_the_property():
    def negative(networks):
        values = networks[0].evaluate([1, 2])
        return values if values[0] < 0 else None

    start = Network([([[5, -7], [3, 2]], [4, 1]), ([["7/3", -2]], [9])])
    descent = Descent((start,), start.evaluate([1, 2]), negative)
    descent.run()
    assert descent.finished
    (network,) = descent.networks
    assert network.evaluate([1, 2]) == descent.witness
    assert network.architecture == (2, 1, 1)
    theta = network.theta()
    for place in (k for k, entry in enumerate(theta) if entry):
        changed = Network.from_theta((2, 1, 1), [*theta[:place], 0, *theta[place + 1 :]])
        assert negative((changed,)) is None
    assert set(theta) == {0, 1, -1}
    kept = Descent((start,), start.evaluate([1, 2]), negative, keep_architecture=True)
    kept.run()
    assert kept.networks[0].architecture == (2, 2, 1)


def test_every_step_is_one_down():
    """What is asked about is smaller than the last network that was accepted."""
    accepted = [size((SECOND,))]

    def even(networks):
        assert size(networks) < accepted[-1]
        if sum(networks[0].theta()).numerator % 2:
            return None
        accepted.append(size(networks))
        return networks

    descent = Descent((SECOND,), None, even)
    descent.run()
    assert len(accepted) > 3
    assert accepted[-1] == size(descent.networks)


def test_several_networks_lose_the_same_neuron():
    def agree(networks):
        return networks if networks[0].architecture == networks[1].architecture else None

    descent = Descent((SECOND, SECOND), (SECOND, SECOND), agree)
    descent.run()
    assert [n.architecture for n in descent.networks] == [(2, 1, 1)] * 2


def test_the_descent_obeys_its_budget():
    descent = Descent((SECOND,), 1, lambda networks: 1)
    descent.run(Budget(time_limit=1e-9))
    assert (descent.finished, descent.networks, descent.steps) == (False, (SECOND,), 0)

    def expensive(networks):
        raise BudgetExceeded("enough")

    descent = Descent((SECOND,), 1, expensive)
    descent.run()
    assert (descent.finished, descent.networks) == (False, (SECOND,))


# ------------------------------------------------------------------ reports and files


def test_reports(tmp_path):
    result = search("fiber-dimension", architecture=(1, 1, 2, 1), keep_architecture=True)
    document = json.loads(json.dumps(result.to_dict()))
    assert document["found"] is True
    assert document["network"] == document["networks"][0] == result.networks[0].to_dict()
    assert exactfd.check.check_bytes(json.dumps(document["certificate"]).encode()).valid
    assert "found (1, 1, 2, 1) and (1, 1, 2, 1)" in repr(result)
    assert repr(result) in result._repr_html_()
    written = save_result(result, tmp_path / "pair.json")
    names = ["pair.json", "pair-2.json", *(f"pair.certificate{k}.json" for k in ("", "-2", "-3"))]
    assert [entry["file"] for entry in written] == [str(tmp_path / name) for name in names]
    assert tuple(exactfd.load(tmp_path / name) for name in names[:2]) == result.networks
    assert all(exactfd.check_file(tmp_path / name).valid for name in names[2:])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_points_are_saved(tmp_path):
    result = search("batch-misses-supremum")
    save_result(result, tmp_path)
    base = tmp_path / "batch-misses-supremum"
    network, points = exactfd.load(f"{base}.json"), exactfd.load_points(f"{base}.points.json")
    assert exactfd.batch_functional_dimension(network, points).rank == result.facts["rank"]


def test_a_folder_that_does_not_exist(tmp_path):
    result = search("hidden-symmetry")
    with pytest.raises(InputError, match="no directory"):
        save_result(result, tmp_path / "none" / "a.json")


def test_nothing_found():
    result = search(lambda network: False, tries=3)
    assert repr(result).startswith("SearchResult(<lambda>: nothing found among 3 candidates")
    assert result.to_dict()["network"] is None


def test_the_room_has_its_name():
    assert exactfd.search.search is search
