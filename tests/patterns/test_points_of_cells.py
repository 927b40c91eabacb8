"""One label for many points of a cell says what as many equal labels do."""

import numpy as np
import pytest
from flint import fmpq_mat

import exactfd
from batches import PRIME, degenerate_network
from exactfd.budget import Budget
from exactfd.geometry.labels import smooth_mask
from exactfd.jacobians import ModularNetwork
from exactfd.linalg import modular
from exactfd.patterns import deep, shallow


@pytest.mark.parametrize(("way", "hidden"), [(shallow, 1), (shallow, 2), (deep, 3)])
def test_labels_of_cells_count_for_as_many_points_as_is_said(way, hidden):
    """By random vectors, which are of no kernel: most cells count one for each point then, no more than n_0 + 1."""
    rng, counts = np.random.default_rng(hidden), set()
    for _ in range(20):
        network = degenerate_network(rng, hidden)
        reduced, labels = ModularNetwork.reduce(network, PRIME), exactfd.top_cells(network).labels
        labels = labels[smooth_mask(labels, network.relu_widths)]
        if reduced is None or not way.applies(network) or not len(labels):
            continue
        size = network.input_dimension + 1
        vectors = modular.random_numbers(rng, way.vectors_wanted(network, labels), network.parametric_dimension)
        bounds = [way.pattern_bound(reduced, labels, vectors, Budget(), points=count) for count in (1, size, size + 5)]
        for bound, count in zip(bounds, (1, size, size + 5), strict=True):
            assert bound == way.pattern_bound(reduced, labels.repeat(count, axis=0), vectors, Budget())
        rows = [row for one in labels.tolist() for row in exactfd.cell_jacobian(network, one).tolist()]
        assert bounds[1] == bounds[2] >= fmpq_mat(rows).rank()
        counts.add(bounds[0] < bounds[1])
    assert True in counts
