"""Numbers that papers print, through the Python interface."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest

import exactfd
from exactfd.network import Network
from oracles import fractions_net

WITNESSES = json.loads((Path(__file__).parent / "data" / "witnesses.json").read_text())["witnesses"]


def network(*augmented, output_activation="identity") -> Network:
    layers = [([row[:-1] for row in a], [row[-1] for row in a]) for a in augmented]
    return Network(layers, output_activation=output_activation)


def example() -> Network:
    """arXiv 2209.04036, Example 1.1."""
    return Network.from_theta((1, 2, 1), [2, -5, -1, 4, 1, 1, 1], output_activation="relu")


def proved(net: Network) -> int:
    result = exactfd.functional_dimension(net)
    assert result.status == "proved"
    assert result.lower == result.upper == result.value
    return result.value


def assert_kernel(net: Network, expected_dimension: int) -> list[tuple[Fraction, ...]]:
    """The reported directions are ``D - value`` many and independent; returned as fractions."""
    vectors = exactfd.functional_dimension(net).kernel
    assert fractions_net.rank(vectors) == len(vectors) == net.parametric_dimension - expected_dimension
    return vectors


# ------------------------------------------------------------------ Example 1.1


def test_example_dimension_and_kernel():
    net = example()
    assert (net.parametric_dimension, net.upper_bound) == (7, 5)
    assert proved(net) == 5
    vectors = assert_kernel(net, 5)
    assert fractions_net.same_span(vectors, [[2, -5, 0, 0, -1, 0, 0], [0, 0, -1, 4, 0, -1, 0]])


@pytest.mark.parametrize(("batch", "rank"), [((0, 1, 2), 2), ((0, 3, 5), 3), ((0, 1, 5, 6), 4), ((1, 2, 3, 5, 6), 5)])
def test_example_batches(batch, rank):
    points = [[x] for x in batch]
    result = exactfd.batch_functional_dimension(example(), points)
    assert result.rank == result.modular_rank == result.float_rank == result.ntk_rank == rank
    assert result.float_agrees
    assert exactfd.batch_functional_dimension(example(), points, algorithm="flint").rank == rank


def test_example_complex():
    cells = {cell.labels: cell.dimension for cell in exactfd.canonical_complex(example()).cells()}
    assert cells == {(-1, 1, 1): 1, (0, 1, 1): 0, (1, 1, 1): 1, (1, 0, 1): 0, (1, -1, 1): 1}


@pytest.mark.parametrize("corner", ["5/2", "4"])
def test_example_corners_are_refused(corner):
    with pytest.raises(exactfd.NonSmoothPointError):
        exactfd.batch_functional_dimension(example(), [[0], [corner]])


# ------------------------------------------------------------------ fibers and families


def test_two_dimensions_on_one_fiber():
    """Architecture (1, 1, 2, 1), both networks are the constant -1 (arXiv 2209.04036)."""
    one = network([[1, 0]], [[-1, -1], [-1, -2]], [[1, 1, -1]])
    two = network([[1, 0]], [[1, 1], [1, 2]], [[1, -1, 0]])
    for x in (-7, Fraction(-1, 3), 0, Fraction(2, 5), 11):
        assert one.evaluate([x]) == two.evaluate([x]) == (-1,)
    assert proved(one) == 1
    assert proved(two) == 2
    assert_kernel(one, 1)
    assert_kernel(two, 2)


@pytest.mark.parametrize("t", ["-2", "0", "1/3", "1000000000000000000001/7"])
def test_hidden_one_parameter_family(t):
    """relu(x - t) - relu(-x + t) + t is x for every t: one dimension below D' = 5."""
    shift = Fraction(t)
    net = network([[1, -shift], [-1, shift]], [[1, -1, shift]])
    assert net.evaluate(["17/4"]) == (Fraction(17, 4),)
    assert proved(net) == 4
    vectors = assert_kernel(net, 4)
    family = [0, -1, 0, 1, 0, 0, 1]  # the derivative of theta_t
    assert fractions_net.rank([*vectors, family]) == len(vectors)


@pytest.mark.parametrize("signs", list(product((1, -1), repeat=4)))
@pytest.mark.parametrize("scale", [1, 3])
def test_width_one_chains_stay_below_the_bound(signs, scale):
    """Architecture (1, 1, 1, 1, 1): D' = 5, and no parameter exceeds 4."""
    biases = (1, 2, Fraction(-1, 2), 3)
    net = network(*([[scale * sign, bias]] for sign, bias in zip(signs, biases, strict=True)))
    assert net.upper_bound == 5
    assert proved(net) <= 4


def test_a_width_one_chain_attains_four():
    assert proved(network([[1, 0]], [[-1, 3]], [[-1, 2]], [[1, 0]])) == 4


# ------------------------------------------------------------------ networks that attain the bound


@pytest.mark.parametrize("witness", WITNESSES, ids=lambda w: "-".join(map(str, w["architecture"])))
def test_witnesses(witness):
    net = network(*witness["layers"])
    assert list(net.architecture) == witness["architecture"]
    assert net.parametric_dimension == witness["parametric_dimension"]
    assert net.upper_bound == witness["functional_dimension"]
    assert proved(net) == witness["functional_dimension"]
    assert exactfd.canonical_complex(net).top_cells == witness["top_cells"]
    assert_kernel(net, witness["functional_dimension"])


def test_there_are_twenty_witnesses():
    assert len({tuple(w["architecture"]) for w in WITNESSES}) == len(WITNESSES) == 20
