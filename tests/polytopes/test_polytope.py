"""Single polytopes against PPL, against the complex, and against volumes that are known otherwise."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import product
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings

import exactfd
from exactfd.errors import InputError, ShapeError
from exactfd.geometry.programs import Point
from exactfd.network import Network
from exactfd.polytopes import redundancy
from exactfd.polytopes.faces import facet_counts, simplex_counts
from exactfd.polytopes.generators import extreme_rays
from exactfd.polytopes.polytope import cell_polytope, polytope_at, polytope_of
from exactfd.polytopes.redundancy import CellFacets, Facet, irredundant
from strategies import KINDS, degenerate_networks, networks

pytest.importorskip("ppl", reason="the independent polyhedra need the test extra pplpy")
from oracles import fractions_net, ppl_polytope

SEED, COUNT = 6, 6 * len(KINDS)


@cache
def some_networks() -> tuple[tuple[str, Network], ...]:
    return tuple(degenerate_networks(SEED, COUNT))


def box_of(dimension: int):
    return [Fraction(-1)] * dimension, [Fraction(3, 2), *[Fraction(1)] * (dimension - 1)]


def assert_polytopes(network: Network, box=None, limit: int = 12) -> None:
    """Facets, vertices, rays, lines and boundedness of the first cells of top dimension, three ways."""
    n = network.input_dimension
    whole = exactfd.canonical_complex(network, box=box)
    facets_of = CellFacets(network, box=box)
    counts = facet_counts(whole)
    for index in range(min(limit, whole.top_cells)):
        cell = whole.cell(n, index)
        rows = ppl_polytope.rows_of_cell(network.to_fractions(), network.output_activation, cell.labels)
        expected = ppl_polytope.Polyhedron([*rows, *ppl_polytope.box_rows(box, n)], n)
        from_complex = cell_polytope(cell)
        by_programs = polytope_of(network, cell.labels, box=box)
        assert facets_of(cell.labels, cell.interior_point()) == from_complex.facets == by_programs.facets
        # facets of the polytope and (n-1)-cells of the complex in its boundary: one for one
        assert len(by_programs.facets) == counts[index] == expected.facets
        assert by_programs.bounded == cell.bounded == expected.bounded
        assert len(by_programs.lineality) == expected.lines
        if not expected.lines:
            assert set(by_programs.vertices) == expected.vertices == set(cell.vertices())
            assert {tuple(map(int, ray)) for ray in by_programs.rays} == expected.rays
        else:
            assert len(by_programs.vertices) == len(expected.vertices)
            assert len(by_programs.rays) == len(expected.rays)
        assert all(by_programs.contains(vertex) for vertex in by_programs.vertices)
        euler = sum((-1) ** k * f for k, f in enumerate(by_programs.f_vector))
        # with compact supports: that of a bounded polytope times that of its lines, or 0 where there are rays
        assert euler == (0 if by_programs.rays else (-1) ** expected.lines)
        assert by_programs.f_vector[-1] == 1
        assert n == len(by_programs.lineality) or by_programs.f_vector[-2] == len(by_programs.facets)


@pytest.mark.parametrize("first", range(0, COUNT, len(KINDS)))
def test_degenerate_networks_against_ppl(first):
    for _, network in some_networks()[first : first + len(KINDS)]:
        assert_polytopes(network)


@pytest.mark.parametrize("first", range(0, COUNT, 2 * len(KINDS)))
def test_degenerate_networks_in_a_box_against_ppl(first):
    for _, network in some_networks()[first : first + len(KINDS)]:
        assert_polytopes(network, box_of(network.input_dimension), limit=6)


@settings(max_examples=40, deadline=None)
@given(networks())
def test_any_network_against_ppl(network):
    assert_polytopes(network, limit=6)


@pytest.mark.parametrize("kind", ["generic", "coincident_bends", "vanishing_neuron", "small_integers"])
def test_f_vectors_by_subsets_of_rows(kind):
    for name, network in some_networks():
        n = network.input_dimension
        if name != kind or n > 3:
            continue
        cell = exactfd.canonical_complex(network).cell(n, 0)
        rows = ppl_polytope.rows_of_cell(network.to_fractions(), network.output_activation, cell.labels)
        assert cell_polytope(cell).f_vector == ppl_polytope.f_vector_by_subsets(rows, n)


@pytest.mark.parametrize("kind", KINDS)
def test_volumes_fill_the_box(kind):
    """Simplices of all polytopes are disjoint and cover the box; their number is that of the whole complex."""
    for number, (name, network) in enumerate(some_networks()):
        n = network.input_dimension
        if name != kind or n > 3 or number > 4 * len(KINDS):
            continue
        box = box_of(n)
        whole = exactfd.canonical_complex(network, box=box)
        if whole.top_cells > 40:
            continue
        polytopes = [cell_polytope(cell) for cell in whole.cells(n)]
        assert sum(p.volume for p in polytopes) == Fraction(5, 2) * 2 ** (n - 1)
        assert [len(p.simplices()) for p in polytopes] == simplex_counts(whole).tolist()
        assert all(p.f_vector[0] == len(p.vertices) for p in polytopes)


def test_volumes_by_lawrence():
    """Simple polytopes, without a triangulation."""
    rng = np.random.default_rng(3)
    for n in (2, 3, 4):
        net = Network(
            [
                (rng.integers(-999, 999, (4, n)), rng.integers(-999, 999, 4)),
                (rng.integers(-999, 999, (3, 4)), rng.integers(-9999, 9999, 3)),
                (np.ones((1, 3), dtype=int), [0]),
            ]
        )
        box = ([Fraction(-97, 89)] * n, [Fraction(83, 79)] * n)
        seen = 0
        for cell in list(exactfd.canonical_complex(net, box=box).cells(n))[:8]:
            p = cell_polytope(cell)
            rows = [[Fraction(a) for a in (*facet.coefficients, facet.constant)] for facet in p.facets]
            assert p.volume == ppl_polytope.volume_by_lawrence(rows, n, p.vertices)
            seen += 1
        assert seen >= 4


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_the_cube(n):
    """One neuron that never bends in the box: f-vector, volume and n! simplices of a cube."""
    net = Network([([[1] * n], [100]), ([[1]], [0])])
    cube = polytope_at(net, ["1/2"] * n, box=(0, 1))
    expected = [0] * (n + 1)
    for face in product((0, 1, None), repeat=n):
        expected[face.count(None)] += 1
    assert cube.f_vector == tuple(expected)
    assert cube.volume == 1
    assert len(cube.simplices()) == factorial(n)
    assert [facet.wall for facet in cube.facets] == [(j, side) for j in range(n) for side in (-1, 1)]


def test_the_cross_polytope_from_one_hidden_layer():
    """All sign choices of a sum: 2^n facets, 2n vertices, volume 2^n / n!."""
    n = 4
    signs = list(product((1, -1), repeat=n))
    net = Network([([list(row) for row in signs], [1] * len(signs)), ([[1] * len(signs)], [0])])
    found = polytope_at(net, [0] * n)
    assert found.f_vector == (8, 24, 32, 16, 1)
    assert found.volume == Fraction(2**n, factorial(n))
    assert len(found.facets) == 16


def test_many_inputs():
    """30 inputs and 40 neurons: a simplex cone by hand, without any enumeration."""
    n = 30
    rows = [[int(i == j) for j in range(n)] for i in range(n)]
    touching = [[1] * n for _ in range(10)]  # parallel, further out: redundant on the positive orthant
    net = Network([(rows + touching, [0] * n + list(range(1, 11))), ([[1] * 40], [0])])
    found = polytope_at(net, ["1/3"] * n)
    assert [facet.neurons for facet in found.facets] == [((1, i),) for i in range(n)]
    assert not found.bounded
    assert polytope_at(net, ["1/3"] * n, box=([-1] * n, [1] * n)).bounded


def test_rows_that_touch_a_face_of_lower_dimension_are_no_facets():
    square = [Facet((1, 0), 0, ()), Facet((-1, 0), 1, ()), Facet((0, 1), 0, ()), Facet((0, -1), 1, ())]
    corners = [Facet((1, 1), 0, ()), Facet((-1, -2), 3, ())]
    inner = Point.of([Fraction(1, 3), Fraction(1, 5)])
    assert irredundant([*corners, *square], inner) == [2, 3, 4, 5]
    cut = Facet((-(2**80), -(2**80)), 2**81 - 1, ())  # cuts a corner off that no float sees
    assert irredundant([*square, cut], inner) == [0, 1, 2, 3, 4]
    near = Facet((-(2**80), -(2**80)), 2**81, ())  # touches it
    assert irredundant([*square, near], inner) == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", KINDS)
def test_programs_alone_give_the_same_facets(kind, monkeypatch):
    """The slow twin: no rays, so that programs decide every row, ties among the first ones crossed included."""
    for name, network in some_networks():
        if name != kind:
            continue
        n = network.input_dimension
        cells = list(exactfd.canonical_complex(network).cells(n))[:6]
        usual = [CellFacets(network)(cell.labels, cell.interior_point()) for cell in cells]
        with monkeypatch.context() as patch:
            patch.setattr(redundancy, "_shot", lambda rows, inner: set())
            assert [CellFacets(network)(cell.labels) for cell in cells] == usual


def test_ties_are_settled_by_programs(monkeypatch):
    """From the middle of the square the way to a corner crosses several rows at once."""
    monkeypatch.setattr(redundancy, "_shot", lambda rows, inner: set())
    square = [Facet((1, 0), 0, ()), Facet((-1, 0), 1, ()), Facet((0, 1), 0, ()), Facet((0, -1), 1, ())]
    touching = [Facet((1, 1), 0, ()), Facet((-1, -1), 2, ()), Facet((1, -1), 1, ()), Facet((-1, 1), 1, ())]
    cutting = [Facet((2, 2), -1, ()), Facet((-2, -2), 3, ())]
    inner = Point.of([Fraction(1, 2), Fraction(1, 2)])
    assert irredundant([*square, *touching], inner) == [0, 1, 2, 3]
    assert irredundant([*touching, *square], inner) == [4, 5, 6, 7]
    assert irredundant([*touching, *square, *cutting], inner) == [4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("seed", range(40))
def test_extreme_rays_of_degenerate_cones(seed):
    """Rows with entries -1, 0, 1 meet in many more than they need to; PPL finds the same rays."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 6))
    while True:
        rows = rng.integers(-1, 2, (int(rng.integers(size, 3 * size)), size)).tolist()
        if fractions_net.rank([[Fraction(e) for e in row] for row in rows]) == size:
            break
    expected = ppl_polytope.Polyhedron([[*map(Fraction, row), Fraction(0)] for row in rows], size)
    assert set(extreme_rays([tuple(row) for row in rows])) == expected.rays
    assert len(extreme_rays([tuple(row) for row in rows])) == len(expected.rays)


def test_coinciding_hyperplanes_name_all_their_neurons():
    net = Network([([[1, 0], [2, 0], [-3, 0], [0, 1]], [0, 0, 0, 0]), ([[1, 1, 1, 1]], [0])])
    found = polytope_at(net, [1, 1])
    assert [facet.neurons for facet in found.facets] == [((1, 0), (1, 1), (1, 2)), ((1, 3),)]
    boxed = polytope_at(net, ["1/2", "1/2"], box=([0, -1], [1, 1]))
    assert {(facet.neurons, facet.wall) for facet in boxed.facets} == {
        (((1, 0), (1, 1), (1, 2)), (0, -1)), ((), (0, 1)), (((1, 3),), None), ((), (1, 1)),
    }  # fmt: skip
    whole = exactfd.canonical_complex(net, box=([0, -1], [1, 1]))
    assert cell_polytope(whole.cell_containing(["1/2", "1/2"])).facets == boxed.facets


def test_no_relu_is_all_of_space():
    found = polytope_at(Network([([[1, 2]], [3])]), [0, 0])
    assert (found.facets, found.bounded, found.f_vector, len(found.lineality)) == ((), False, (0, 0, 1), 2)
    assert found.volume is None
    with pytest.raises(InputError, match="bounded"):
        found.simplices()


def test_lineality():
    """A first layer of rank 1 in three inputs: slabs, whose minimal faces are planes."""
    net = Network([([[1, 1, 0], [2, 2, 0]], [0, -2]), ([[1, 1]], [0])])
    slab = polytope_at(net, ["1/4", "1/4", 5])
    assert (slab.f_vector, len(slab.facets), slab.bounded, slab.volume) == ((0, 0, 2, 1), 2, False, None)
    assert len(slab.lineality) == 2
    assert all(direction[0] + direction[1] == 0 for direction in slab.lineality)


def test_scaling_and_permuting_neurons_changes_nothing():
    rng = np.random.default_rng(0)
    net = Network([(rng.integers(-9, 9, (n, m)), rng.integers(-9, 9, n)) for m, n in ((4, 6), (6, 6), (6, 1))])
    (w1, b1), (w2, b2), last = net.to_fractions()
    order, factor = [3, 1, 5, 0, 2, 4], [Fraction(k + 1, 7) for k in range(6)]
    scaled = Network(
        [
            ([[factor[i] * e for e in w1[i]] for i in order], [factor[i] * b1[i] for i in order]),
            ([[row[i] / factor[i] for i in order] for row in w2], b2),
            last,
        ]
    )
    for _ in range(5):
        point = [Fraction(int(e), 8) for e in rng.integers(-16, 16, 4)]
        one, other = polytope_at(net, point), polytope_at(scaled, point)
        rows, again = ({(f.coefficients, f.constant) for f in p.facets} for p in (one, other))
        assert rows == again
        assert (one.vertices, one.rays, one.f_vector) == (other.vertices, other.rays, other.f_vector)
        assert one.volume == other.volume


def test_what_is_refused():
    net = Network([([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), ([[1, 1, -1]], [0])])
    with pytest.raises(InputError, match="face of dimension 1"):
        polytope_at(net, [0, "1/2"])
    with pytest.raises(InputError, match="strictly inside"):
        polytope_at(net, [3, 1], box=(0, 2))
    with pytest.raises(InputError, match="no cell of dimension 2"):
        polytope_of(net, (-1, -1, 1))
    with pytest.raises(InputError, match="label 0"):
        polytope_of(net, (1, 0, 1))
    with pytest.raises(ShapeError):
        polytope_of(net, (1, 1))
    with pytest.raises(InputError, match="dimension 2"):
        cell_polytope(exactfd.canonical_complex(net).cell(1, 0))


def test_reports():
    net = Network([([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), ([[1, 1, -1]], [0])])
    document = polytope_at(net, ["1/4", "1/4"]).to_dict()
    assert document["volume"] == "1/2"
    assert document["facets"][0] == {"coefficients": ["1", "0"], "constant": "0", "neurons": [[1, 0]], "wall": None}
    assert document["vertices"] == [["0", "0"], ["0", "1"], ["1", "0"]]
    assert repr(polytope_at(net, [-1, -1])) == "Polytope(dimension 2, 2 facets, unbounded)"
