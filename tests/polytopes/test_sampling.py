"""The sampling baseline against the exact complex: what it sees is there, and it does not see everything."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import exactfd
from exactfd.errors import BudgetExceeded, InputError
from exactfd.polytopes.sampling import float_hit_and_run
from strategies import degenerate_networks

ROOT = Path(__file__).parents[2]


def exact_facets(network, box):
    """Facets inside a box of each polytope that meets it, by pattern; walls are not counted."""
    complex_ = exactfd.canonical_complex(network, box=box)
    top = complex_.dimension
    flat, lengths = complex_.facets(top)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    inside = ~complex_.walls(top - 1).any(axis=1)[flat]
    counts = np.bincount(owner[inside], minlength=len(lengths)).tolist()
    patterns = (complex_.labels(top) > 0).astype(int).tolist()
    return dict(zip(map(tuple, patterns), counts, strict=True))


@pytest.mark.parametrize(("name", "box"), [("2x16x16x1", (-1, 1)), ("2x16x16x1", (-100, 100)), ("3x8x8x1", (-2, 2))])
def test_what_sampling_misses(name, box):
    """Generic networks: every polytope seen exists and has at least the facets seen; many are missed."""
    network = exactfd.load(ROOT / "benchmarks" / "nets" / f"{name}_s0.npz")
    exact = exact_facets(network, box)
    seen = float_hit_and_run(network, box=box, points=300, steps=30)
    assert all(0 < count <= exact[pattern] for pattern, count in seen.facets.items())
    assert len(seen) < 0.6 * len(exact)
    assert sum(seen.facets.values()) < sum(exact[pattern] for pattern in seen.facets)


def test_sampling_finds_what_is_large():
    """Four lines around a square: all nine polytopes, all facets."""
    network = exactfd.Network([([[1, 0], [1, 0], [0, 1], [0, 1]], [1, -1, 1, -1]), ([[1, 1, 1, 1]], [0])])
    exact = exact_facets(network, (-3, 3))
    assert Counter(exact.values()) == {2: 4, 3: 4, 4: 1}
    seen = float_hit_and_run(network, box=(-3, 3), points=300, steps=300)
    assert dict(seen.facets) == exact
    assert seen.histogram == {2: 4, 3: 4, 4: 1}


def test_a_thin_polytope_is_missed():
    """A slab of width 2^-40 that the exact count has."""
    network = exactfd.Network([([[1], [1]], [0, f"-1/{2**40}"]), ([[1, 1]], [0])])
    assert len(exact_facets(network, (-1, 1))) == 3
    assert len(float_hit_and_run(network, box=(-1, 1), points=10000)) == 2


def test_degenerate_networks_raise_nothing():
    for _, network in degenerate_networks(5, 84):
        seen = float_hit_and_run(network, box=(-2, 2), points=20, steps=5)
        assert 1 <= len(seen) <= 20
        assert sum(seen.histogram.values()) == len(seen)


def test_the_same_seed_gives_the_same_sample():
    network = exactfd.load(ROOT / "benchmarks" / "nets" / "2x8x8x1_s0.npz")
    first, again, other = (float_hit_and_run(network, box=(-1, 1), points=50, steps=5, seed=s) for s in (0, 0, 1))
    assert first.facets == again.facets != other.facets
    document = first.to_dict()
    assert document["float_polytopes_seen"] == len(first)
    assert sum(document["float_facet_histogram"].values()) == len(first)
    assert "not exact" in repr(first)
    assert "floats" in first._repr_html_()


def test_bad_arguments():
    network = exactfd.Network([([[1]], [0]), ([[1]], [0])])
    with pytest.raises(InputError, match="points"):
        float_hit_and_run(network, box=(-1, 1), points=0)
    with pytest.raises(InputError, match="steps"):
        float_hit_and_run(network, box=(-1, 1), steps=0)
    with pytest.raises(InputError, match="box"):
        float_hit_and_run(network, box=None)
    with pytest.raises(BudgetExceeded):
        float_hit_and_run(network, box=(-1, 1), budget=exactfd.Budget(time_limit=1e-9))
