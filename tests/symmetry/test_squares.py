"""The square relation around a crossing of two bent hyperplanes.

The Jacobian of a cell is affine in the activation pattern of one layer, and has a mixed term for neurons of two layers.
So for the four cells around a crossing of bent hyperplanes of one layer J00 + J11 = J10 + J01, and across layers not.
"""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

import exactfd
from exactfd import Network, cell_jacobian

SHAPES = [(2, 4, 1), (2, 3, 3, 1), (2, 4, 3, 2), (3, 3, 3, 1), (2, 3, 3, 3, 1), (2, 2, 4, 1), (4, 4, 2, 1)]
SEEDS = range(4)


def random_network(sizes, seed, activation):
    rng = random.Random(f"{sizes} {seed}")
    layers = [
        ([[rng.randint(-9, 9) or 5 for _ in range(m)] for _ in range(n)], [rng.randint(-9, 9) for _ in range(n)])
        for m, n in pairwise(sizes)
    ]
    return Network(layers, output_activation=activation)


def crossings(network):
    """Codimension-2 cells with exactly two zero labels: their labels, and the two (layer, flat number)."""
    layer_of = [layer for layer, width in enumerate(network.relu_widths) for _ in range(width)]
    cells = exactfd.canonical_complex(network)
    top = {tuple(row) for row in cells.labels(network.input_dimension).tolist()}
    for row in cells.labels(network.input_dimension - 2).tolist():
        zero = [k for k, label in enumerate(row) if label == 0]
        if len(zero) == 2:
            around = {}
            for first in (-1, 1):
                for second in (-1, 1):
                    labels = list(row)
                    labels[zero[0]], labels[zero[1]] = first, second
                    assert tuple(labels) in top, "the four cells are there"
                    around[first, second] = labels
            yield row, [(layer_of[k], k) for k in zero], around


def mixed_difference(network, around):
    table = {signs: np.array(cell_jacobian(network, labels).tolist()) for signs, labels in around.items()}
    return table[-1, -1] + table[1, 1] - table[1, -1] - table[-1, 1]


def is_seen(network, labels, layer):
    """Whether the outputs depend on the pre-activations of a layer where the labels after it are these."""
    sizes = network.relu_widths
    start = sum(sizes[: layer + 1])
    for width in sizes[layer + 1 :]:
        if all(label <= 0 for label in labels[start : start + width]):
            return False
        start += width
    return True


@pytest.mark.parametrize("activation", ["identity", "relu"])
@pytest.mark.parametrize("sizes", SHAPES)
def test_the_square_relation(sizes, activation):
    same = across = 0
    for seed in SEEDS:
        network = random_network(sizes, seed, activation)
        for row, ((layer, _), (later, _)), around in crossings(network):
            difference = mixed_difference(network, around)
            if layer == later:
                same += 1
                assert not difference.any()
            elif later == layer + 1 and is_seen(network, row, later):
                across += 1
                assert difference.any(), "across layers there is a mixed term"
    assert same
    assert across or (len(sizes) == 3 and activation == "identity")
