"""The affine map of a cell from its ternary tuple: what the network computes there, whatever came before."""

from __future__ import annotations

import random
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from exactfd.geometry.affine import CellMaps
from oracles import fractions_net
from strategies import networks, points


@given(st.data())
def test_values_at_points_of_many_cells_in_turn(data):
    network = data.draw(networks())
    layers, activation = network.to_fractions(), network.output_activation
    maps = CellMaps(network)
    chosen = data.draw(st.lists(points(network.input_dimension), min_size=1, max_size=8))
    random.Random(0).shuffle(chosen)
    for point in [*chosen, *chosen]:
        matrix, scale = maps(fractions_net.ternary_tuple(layers, activation, point))
        assert scale > 0
        assert (matrix.nrows(), matrix.ncols()) == (network.output_dimension, network.input_dimension + 1)
        rows = [[Fraction(int(entry), int(scale)) for entry in row] for row in matrix.tolist()]
        values = [sum((a * x for a, x in zip(row, (*point, 1), strict=True)), Fraction(0)) for row in rows]
        assert values == fractions_net.evaluate(layers, activation, point)
