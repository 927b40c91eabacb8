"""Functional dimension by brute force: dual-number Jacobians at enough points of every smooth cell.

On a cell every entry of the Jacobian is an affine function of the point, so ``n0 + 1`` affinely independent points of
each smooth ``n0``-dimensional cell span what all its points span.
"""

from __future__ import annotations

from fractions import Fraction

from oracles import fractions_net, ppl_complex
from oracles.fractions_net import Layers


def simplex_around(layers: Layers, output_activation: str, point: tuple[Fraction, ...]) -> list[tuple[Fraction, ...]]:
    """``point`` and ``n0`` neighbours along the axes with the same labels: affinely independent by construction."""
    labels = fractions_net.ternary_tuple(layers, output_activation, point)
    result = [point]
    for axis in range(len(point)):
        step = Fraction(1, 2)
        while True:
            neighbour = tuple(value + step * (j == axis) for j, value in enumerate(point))
            if fractions_net.ternary_tuple(layers, output_activation, neighbour) == labels:
                result.append(neighbour)
                break
            step /= 16
    return result


def smooth_points(layers: Layers, output_activation: str) -> list[tuple[Fraction, ...]]:
    """A smooth batch that attains the functional dimension."""
    n0 = fractions_net.architecture(layers)[0]
    points: list[tuple[Fraction, ...]] = []
    for cell in ppl_complex.cells(layers, output_activation):
        if cell.dimension == n0 and fractions_net.is_smooth(layers, output_activation, cell.labels):
            points += simplex_around(layers, output_activation, cell.point)
    return points


def stacked_jacobian(layers: Layers, output_activation: str) -> list[list[Fraction]]:
    return fractions_net.jacobian(layers, output_activation, smooth_points(layers, output_activation))


def functional_dimension(layers: Layers, output_activation: str) -> int:
    return fractions_net.rank(stacked_jacobian(layers, output_activation))
