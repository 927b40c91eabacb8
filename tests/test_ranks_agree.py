"""Exact, modular and plain ``Fraction`` rank agree on every batch; float ranks do not always, and are called out."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import exactfd
from exactfd.linalg import floats
from exactfd.network import Network
from oracles import fractions_net
from strategies import KINDS, degenerate_networks, networks, points

SEED, COUNT, CHUNK = 3, 6 * len(KINDS), 14
CASES = json.loads((Path(__file__).parent / "data" / "float_rank.json").read_text())["cases"]


@cache
def all_networks() -> tuple[tuple[str, Network], ...]:
    return tuple(degenerate_networks(SEED, COUNT))


def is_smooth(network: Network, point) -> bool:
    layers, activation = network.to_fractions(), network.output_activation
    return fractions_net.is_smooth(layers, activation, fractions_net.ternary_tuple(layers, activation, point))


def smooth_batch(network: Network, source: random.Random, size: int) -> list[list[Fraction]]:
    """Some smooth points, near and far, with ugly coordinates; fewer than asked where they are rare."""
    batch: list[list[Fraction]] = []
    for _ in range(4 * size):
        radius = source.choice((1, 5, 40))
        bottom = source.choice((59, 60, 64))
        point = [Fraction(source.randint(-60 * radius, 60 * radius), bottom) for _ in range(network.input_dimension)]
        if is_smooth(network, point):
            batch.append(point)
    return batch[:size]


def table(matrix) -> list[list[Fraction]]:
    """A FLINT or nested-list table as fractions."""
    rows = matrix.tolist() if hasattr(matrix, "tolist") else matrix
    return [[Fraction(int(entry.p), int(entry.q)) for entry in row] for row in rows]


def assert_ranks_agree(network: Network, batch) -> int:
    rows = fractions_net.jacobian(network.to_fractions(), network.output_activation, batch)
    assert table(exactfd.jacobian(network, batch)) == rows
    expected = fractions_net.rank(rows)
    result = exactfd.batch_functional_dimension(network, batch)
    assert result.rank == expected
    assert result.modular_rank == expected
    assert result.ntk_rank == expected
    assert result.points == len(batch)
    assert result.float_agrees == (result.float_rank == expected)
    assert exactfd.batch_functional_dimension(network, batch, algorithm="flint").rank == expected
    gram = [[sum((a * b for a, b in zip(r, s, strict=True)), Fraction(0)) for s in rows] for r in rows[:4]]
    assert fractions_net.rank(gram) == fractions_net.rank(rows[:4])  # J J^T loses nothing over an ordered field
    return expected


@pytest.mark.parametrize("start", range(0, COUNT, CHUNK))
def test_batches_of_degenerate_networks(start):
    """Two batches a network: too few points for the full dimension, and more than enough."""
    source = random.Random(start)
    for _, network in all_networks()[start : start + CHUNK]:
        ranks = []
        for size in (2, 7):
            batch = smooth_batch(network, source, size)
            if batch:
                ranks.append(assert_ranks_agree(network, batch))
        assert all(rank <= network.upper_bound for rank in ranks)


@settings(max_examples=40, deadline=None)
@given(networks(max_inputs=2), st.data())
def test_batches_with_shrinking(network, data):
    batch = data.draw(st.lists(points(network.input_dimension), min_size=1, max_size=5))
    smooth = [point for point in batch if is_smooth(network, point)]
    assume(smooth)
    assert_ranks_agree(network, smooth)


@settings(max_examples=40, deadline=None)
@given(networks(max_inputs=2), st.data())
def test_points_that_are_not_smooth_are_refused(network, data):
    """Exactly those: the error names the first of them."""
    batch = data.draw(st.lists(points(network.input_dimension), min_size=1, max_size=4))
    rough = [index for index, point in enumerate(batch) if not is_smooth(network, point)]
    if rough:
        with pytest.raises(exactfd.NonSmoothPointError, match=rf"\b{rough[0]}\b"):
            exactfd.batch_functional_dimension(network, batch)
    else:
        assert exactfd.batch_functional_dimension(network, batch).points == len(batch)


def test_repeated_and_collinear_points_add_nothing():
    network = Network([([[2], [-1]], [-5, 4]), ([[1, 1]], [1])], output_activation="relu")
    once = exactfd.batch_functional_dimension(network, [[0], [1]]).rank
    assert exactfd.batch_functional_dimension(network, [[0], [1], [0], ["1/3"], ["2/3"]]).rank == once == 2


def test_coordinates_that_are_masked_are_no_numbers():
    network = Network([([[1, 0], [0, 1]], [0, 0]), ([[1, 1]], [0])])
    batch = np.ma.array([[1.0, 2.0], [3.0, 4.0]], mask=[[False, True], [False, False]])
    with pytest.raises(exactfd.InputError, match=r"points\[0\]\[1\]"):
        exactfd.batch_functional_dimension(network, batch)
    batch.mask = False
    assert exactfd.batch_functional_dimension(network, batch).rank == 2


def test_jacobian_is_a_function_whatever_was_imported_before():
    """A submodule of the same name must not take the place of the public function."""
    script = "import exactfd.jacobians, exactfd.dimension; assert callable(exactfd.jacobian), exactfd.jacobian"
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


# ------------------------------------------------------------------ floats that are wrong


def case_network(case) -> Network:
    return Network([(layer["weight"], layer["bias"]) for layer in case["layers"]])


def float32_jacobian(network: Network, batch) -> np.ndarray:
    """What a numerical experiment would compute: forward pass and chain rule in float32, one point at a time.

    NumPy only. Returns ``k n_d x D`` in the order of ``theta``.
    """
    layers = [(w.astype(np.float32), b.astype(np.float32)) for w, b in network.to_numpy()]
    rows = []
    for point in batch:
        inputs, masks = [np.array([float(Fraction(x)) for x in point], dtype=np.float32)], []
        for weight, bias in layers[:-1]:
            z = weight @ inputs[-1] + bias
            masks.append((z > 0).astype(np.float32))
            inputs.append(np.maximum(z, np.float32(0)))
        left = np.eye(len(layers[-1][1]), dtype=np.float32)
        blocks = []
        for index in range(len(layers) - 1, -1, -1):
            right = np.append(inputs[index], np.float32(1))
            blocks.append((left[:, :, None] * right).reshape(len(left), -1))
            if index:
                left = (left @ layers[index][0]) * masks[index - 1]
        rows.append(np.concatenate(blocks[::-1], axis=1))
    return np.concatenate(rows)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_float32_gets_the_rank_wrong_and_is_called_out(case):
    network, batch = case_network(case), case["points"]
    exact_points = [[Fraction(entry) for entry in point] for point in batch]
    rows = fractions_net.jacobian(network.to_fractions(), "identity", exact_points)
    assert fractions_net.rank(rows) == case["exact_rank"]

    single = float32_jacobian(network, batch)
    assert single.dtype == np.float32
    assert np.linalg.matrix_rank(single) == case["float32_rank"] != case["exact_rank"]

    result = exactfd.batch_functional_dimension(network, batch)
    assert result.rank == result.modular_rank == result.ntk_rank == case["exact_rank"]
    verdict = floats.float_rank(exactfd.float_jacobian(network, batch, dtype=np.float32))
    assert verdict.rank == case["float32_rank"] != result.rank
    assert result.float_agrees is case["float64_agrees"]
    if not case["float64_agrees"]:
        assert result.float_rank != result.rank
        assert result.to_dict()["float_agrees"] is False


def test_both_directions_of_error_are_in_the_data():
    signs = {np.sign(case["float32_rank"] - case["exact_rank"]) for case in CASES}
    assert signs == {-1, 1}
    assert {case["float64_agrees"] for case in CASES} == {True, False}
