"""Networks on affine subspaces of the input space, exactly: a network with as many inputs as there are directions.

The first layer is composed with a parametrisation ``x = base + directions u``; nothing else changes. So every question
about cells, facets and regions on a plane section of a network with any number of inputs is one about a network with
two inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flint import fmpq, fmpq_mat

from exactfd import rationals
from exactfd.errors import InputError, ShapeError
from exactfd.network import Network


def restrict(network: Network, base: Any, directions: Sequence[Any]) -> Network:
    """The network ``u -> F(base + u_1 d_1 + ... + u_k d_k)``, with ``k`` inputs. Exact.

    Parameters
    ----------
    base
        ``n_0`` rationals.
    directions
        ``k >= 1`` linearly independent vectors of ``n_0`` rationals each.

    Raises
    ------
    ShapeError, InputError
        where a length is wrong, a number is not rational, or the directions are dependent.

    Notes
    -----
    A cell of the result is the part of one cell of ``network`` in the subspace: labels agree point by point.
    Source: composition of affine maps; see [GLMW] arXiv 2209.04036, Definition 2.5 for the cells.

    Examples
    --------
    >>> net = Network([([[1, 2, 3]], [4]), ([[1]], [0])])
    >>> restrict(net, [1, 0, 0], [[0, 1, 0], [0, 0, 1]]).to_fractions()[0]
    ([[Fraction(2, 1), Fraction(3, 1)]], [Fraction(5, 1)])
    """
    n = network.input_dimension
    origin = rationals.vector(base, what="base")
    columns = [rationals.vector(d, what=f"directions[{i}]") for i, d in enumerate(directions)]
    for what, found in [("base", origin), *((f"directions[{i}]", c) for i, c in enumerate(columns))]:
        if len(found) != n:
            raise ShapeError(f"{what}: the network has {n} inputs, found {len(found)} coordinates")
    k = len(columns)
    if not k or fmpq_mat(columns).rref()[1] < k:
        raise InputError(f"directions: expected at least one, linearly independent, found {k} that are not")
    frame = fmpq_mat(n + 1, k + 1)
    for i in range(n):
        for j in range(k):
            frame[i, j] = columns[j][i]
        frame[i, k] = origin[i]
    frame[n, k] = fmpq(1)
    augmented = [network.augmented(1) * frame, *(network.augmented(i) for i in range(2, network.depth + 1))]
    layers = [([row[:-1] for row in a.tolist()], [row[-1] for row in a.tolist()]) for a in augmented]
    return Network(layers, output_activation=network.output_activation)


def restrict_to_plane(network: Network, points: Sequence[Any]) -> Network:
    """The network on the plane through three points ``P, Q, R``: ``(s, t) -> F(P + s (Q - P) + t (R - P))``.

    So ``P, Q, R`` have coordinates ``(0, 0)``, ``(1, 0)`` and ``(0, 1)``. Exact. Raises ``ShapeError`` or
    ``InputError`` where there are not three points of ``n_0`` rationals, or where they lie on a line. Source: as
    :func:`restrict`.

    >>> net = Network([([[1, 2, 3]], [4]), ([[1]], [0])])
    >>> plane = restrict_to_plane(net, [[0, 0, 0], [1, 1, 0], [0, 0, "1/2"]])
    >>> plane.evaluate([0, 1]) == net.evaluate([0, 0, "1/2"])
    True
    """
    given = [rationals.vector(point, what=f"slice point {i}") for i, point in enumerate(points)]
    if len(given) != 3:
        raise ShapeError(f"slice: expected three points, found {len(given)}")
    for i, point in enumerate(given):
        if len(point) != network.input_dimension:
            raise ShapeError(
                f"slice point {i}: the network has {network.input_dimension} inputs, found {len(point)} coordinates"
            )
    base, second, third = given
    directions = [[b - a for a, b in zip(base, other, strict=True)] for other in (second, third)]
    if fmpq_mat(directions).rref()[1] < 2:
        raise InputError("slice: expected three points that span a plane, found points on a line")
    return restrict(network, base, directions)
