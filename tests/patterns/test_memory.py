"""Memory that the bounds by patterns say they need, against what they take."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from batches import PRIME, eliminated, kernel_for, random_network
from exactfd.budget import Budget
from exactfd.jacobians import ModularNetwork
from exactfd.patterns import pattern_way
from strategies import smooth


@pytest.mark.parametrize(
    "sizes", [(2, 24, 24, 1), (5, 16, 16, 1), (2, 10, 10, 10, 1), (4, 9, 9, 9, 1), (2, 10, 10, 3), (5, 12, 12, 4)]
)
def test_about_as_much_as_is_taken(sizes):
    """Within a few times: what is taken depends on the patterns, too."""
    network = random_network(3, sizes)
    points = np.random.default_rng(1).normal(size=(2 * network.parametric_dimension, sizes[0]))
    reduced = ModularNetwork.reduce(network, PRIME)
    rows, way = eliminated(reduced, smooth(network, points)), pattern_way(network)
    kernel = kernel_for(way, rows)
    way.value(reduced, rows.labels, kernel, Budget())  # what is loaded or kept for later is not counted
    tracemalloc.start()
    try:
        way.value(reduced, rows.labels, kernel.copy(), Budget())  # the vectors count, too
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken / 3 < way.bytes_wanted(network, rows.labels, len(kernel)) < 20 * taken
