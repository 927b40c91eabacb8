"""One polytope: the closure of an ``n_0``-dimensional cell, with facets, vertices, rays, faces, simplices and volume.

Where the first layer has rank ``r < n_0`` a cell contains every line in the kernel of its weights, the *lineality*. It
then has no vertex, no volume and no face of dimension below ``n_0 - r``. Vertices and rays that are listed are those of
its intersection with a subspace of coordinates: the cell is their sum with the lineality.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import factorial
from typing import Any

from flint import fmpq, fmpq_mat, fmpz_mat

from exactfd import rationals
from exactfd.errors import InputError
from exactfd.geometry.box import parse_box
from exactfd.geometry.cell import Cell
from exactfd.geometry.location import locate
from exactfd.geometry.programs import Infeasible, Row, solve
from exactfd.linalg.exact import pivot_columns
from exactfd.network import Network
from exactfd.polytopes.generators import Vector, extreme_rays, faces_by_dimension, pulling_triangulation
from exactfd.polytopes.redundancy import CellFacets, Facet, interior, irredundant

PointTuple = tuple[Fraction, ...]


@dataclass(frozen=True)
class RecessionCone:
    """Directions in which a polytope goes to infinity: the sum of ``rays`` (extreme, modulo the lineality) and of the
    lines along ``lineality`` (a basis). Trivial, both empty, exactly where the polytope is bounded.
    """

    rays: tuple[PointTuple, ...]
    lineality: tuple[PointTuple, ...]


@dataclass(frozen=True)
class Polytope:
    """The closure of one ``n_0``-dimensional cell; made by :func:`polytope_at`, :func:`polytope_of` or
    :func:`cell_polytope`. Everything is exact.

    Vertices, faces, simplices and the volume are computed when asked for, from the facets alone, in a time that grows
    exponentially with the number of inputs; facets, ``bounded`` and ``contains`` are fine for many inputs.

    Attributes
    ----------
    dimension
        ``n_0``.
    labels
        The ternary tuple of the cell.
    facets
        The irredundant rows.
    inner
        A rational point strictly inside.

    Examples
    --------
    >>> net = Network([([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), ([[1, 1, -1]], [0])])
    >>> triangle = polytope_at(net, ["1/4", "1/4"])
    >>> len(triangle.facets), triangle.bounded, triangle.f_vector, triangle.volume
    (3, True, (3, 3, 1), Fraction(1, 2))
    >>> triangle.vertices[0], triangle.simplices()
    ((Fraction(0, 1), Fraction(0, 1)), [(0, 1, 2)])
    >>> quadrant = polytope_at(net, [-1, -1])
    >>> quadrant.bounded, quadrant.volume, quadrant.recession_cone.rays
    (False, None, ((Fraction(-1, 1), Fraction(0, 1)), (Fraction(0, 1), Fraction(-1, 1))))
    """

    dimension: int
    labels: tuple[int, ...]
    facets: tuple[Facet, ...]
    inner: PointTuple

    @cached_property
    def lineality(self) -> tuple[PointTuple, ...]:
        """A basis of the lines in the polytope."""
        n = self.dimension
        if not self.facets:
            return tuple(tuple(Fraction(int(i == j)) for j in range(n)) for i in range(n))
        kernel, nullity = fmpz_mat([facet.coefficients for facet in self.facets]).nullspace()
        return tuple(tuple(Fraction(int(kernel[i, j])) for i in range(n)) for j in range(nullity))

    @cached_property
    def bounded(self) -> bool:
        """Whether the polytope is bounded, by a program: there is no direction on which every row is nonnegative.

        Source: Stiemke's lemma; Schrijver, *Theory of Linear and Integer Programming*, section 7.8.
        """
        if self.lineality or not self.facets:
            return False
        normals = [facet.coefficients for facet in self.facets]
        total = tuple(sum(column) for column in zip(*normals, strict=True))  # positive on every such direction
        rows = [Row(total, 0, ">"), *(Row(normal, 0, ">=") for normal in normals)]
        return isinstance(solve(rows, self.dimension), Infeasible)

    # ------------------------------------------------------------------ generators and faces

    @cached_property
    def _generators(self) -> list[Vector]:
        """Homogeneous integer coordinates ``(x, t)``: vertices with ``t > 0`` in lexicographic order of ``x / t``, then
        rays with ``t = 0``; coordinates that the lineality can move are zero.
        """
        n = self.dimension
        columns = pivot_columns(fmpq_mat([facet.coefficients for facet in self.facets])) if self.facets else []
        rows = [(*(facet.coefficients[j] for j in columns), facet.constant) for facet in self.facets]
        found = extreme_rays([*rows, (*[0] * len(columns), 1)])
        found.sort(key=lambda g: (g[-1] == 0, tuple(Fraction(x, g[-1] or 1) for x in g[:-1])))
        result = []
        for generator in found:
            full = [0] * n
            for j, entry in zip(columns, generator, strict=False):
                full[j] = entry
            result.append((*full, generator[-1]))
        return result

    @cached_property
    def vertices(self) -> tuple[PointTuple, ...]:
        """Vertices in lexicographic order (modulo the lineality, where there is one)."""
        return tuple(tuple(Fraction(x, g[-1]) for x in g[:-1]) for g in self._generators if g[-1])

    @cached_property
    def rays(self) -> tuple[PointTuple, ...]:
        """Extreme directions, primitive integer vectors (modulo the lineality)."""
        return tuple(tuple(map(Fraction, g[:-1])) for g in self._generators if not g[-1])

    @property
    def recession_cone(self) -> RecessionCone:
        """Its directions to infinity."""
        return RecessionCone(self.rays, self.lineality)

    @cached_property
    def _incidence(self) -> list[int]:
        """The generators on each facet, as bits."""
        return [
            sum(
                1 << k
                for k, g in enumerate(self._generators)
                if sum(a * x for a, x in zip((*facet.coefficients, facet.constant), g, strict=True)) == 0
            )
            for facet in self.facets
        ]

    @cached_property
    def f_vector(self) -> tuple[int, ...]:
        """``(f_0, ..., f_{n_0})``: number of faces of each dimension, the polytope itself last."""
        everything = (1 << len(self._generators)) - 1
        levels = faces_by_dimension(self._incidence, everything, (1 << len(self.vertices)) - 1)
        counts = [len(level) for level in reversed(levels)]
        return (0,) * (self.dimension + 1 - len(counts)) + tuple(counts)

    def simplices(self) -> list[tuple[int, ...]]:
        """The pulling triangulation for the lexicographic order of the vertices: tuples of ``n_0 + 1`` numbers of
        vertices. Raises ``InputError`` where the polytope is unbounded.

        Neighbours in a complex agree on their common facets, since the order is the same for both. Source: De Loera,
        Rambau, Santos, *Triangulations*, section 4.3.2.
        """
        if self.lineality or self.rays:
            raise InputError("simplices: expected a bounded polytope, found one that is not")
        return list(pulling_triangulation((1 << len(self.vertices)) - 1, self._incidence, {}))

    @cached_property
    def volume(self) -> Fraction | None:
        """Exact volume, the sum over the simplices; None where it is unbounded."""
        if self.lineality or self.rays:
            return None
        total = fmpq(0)
        for simplex in self.simplices():
            base, *others = (self._generators[k] for k in simplex)
            rows = [
                [fmpq(x, g[-1]) - fmpq(y, base[-1]) for x, y in zip(g[:-1], base[:-1], strict=True)] for g in others
            ]
            total += abs(fmpq_mat(rows).det())
        return rationals.to_fraction(total / factorial(self.dimension))

    def contains(self, point: Any) -> bool:
        """Whether a rational point lies in the closed polytope; ``InputError`` where it is no such point."""
        x = [rationals.to_fraction(value) for value in rationals.vector(point, what="point")]
        if len(x) != self.dimension:
            raise InputError(f"point: expected {self.dimension} coordinates, found {len(x)}")
        return all(
            sum((a * value for a, value in zip(facet.coefficients, x, strict=True)), Fraction(facet.constant)) >= 0
            for facet in self.facets
        )

    # ------------------------------------------------------------------ reports

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; vertices and what depends on them are computed."""
        return {
            "labels": list(self.labels),
            "facets": [facet.to_dict() for facet in self.facets],
            "bounded": self.bounded,
            "f_vector": list(self.f_vector),
            "vertices": _texts(self.vertices),
            "rays": _texts(self.rays),
            "lineality": _texts(self.lineality),
            "simplices": len(self.simplices()) if self.bounded else None,
            "volume": None if self.volume is None else rationals.format_rational(self.volume),
        }

    def __repr__(self) -> str:
        kind = "bounded" if self.bounded else "unbounded"
        return f"Polytope(dimension {self.dimension}, {len(self.facets)} facets, {kind})"

    def _repr_html_(self) -> str:
        return f"<code>{self!r}</code>"


def polytope_of(network: Network, labels: Sequence[int], *, box: Any = None) -> Polytope:
    """The polytope of the ``n_0``-cell with these labels, cut by the closed box if one is given; any number of inputs.

    Raises ``InputError`` where no ``n_0``-cell has these labels (in the box) and ``ShapeError`` where their number is
    wrong. Source: see the head of :mod:`exactfd.polytopes.redundancy`.

    >>> polytope_of(Network([([[1], [1]], [0, -1]), ([[1, 1]], [0])]), (1, -1))
    Polytope(dimension 1, 2 facets, bounded)
    """
    return _built(CellFacets(network, box=box), tuple(int(label) for label in labels), None)


def polytope_at(network: Network, point: Any, *, box: Any = None) -> Polytope:
    """The polytope whose interior holds a rational point, cut by the closed box if one is given; any number of inputs.

    Raises ``InputError`` where the point is on a boundary, or not strictly inside the box. Source: as
    :func:`polytope_of`.

    >>> polytope_at(Network([([[1], [1]], [0, -1]), ([[1, 1]], [0])]), ["1/3"]).facets[0].neurons
    ((1, 0),)
    """
    place = locate(network, point)
    if place.dimension < network.input_dimension:
        raise InputError(f"point: expected one inside a polytope, found one on a face of dimension {place.dimension}")
    limits = parse_box(box, network.input_dimension)
    x = tuple(rationals.to_fraction(value) for value in rationals.vector(point, what="point"))
    return _built(CellFacets(network, box=limits), place.labels, x)


def cell_polytope(cell: Cell) -> Polytope:
    """The polytope of an ``n_0``-dimensional cell of a complex; its facets are read from the complex.

    Raises ``InputError`` for a cell of lower dimension. Source: see the head of :mod:`exactfd.polytopes.faces`.

    >>> from exactfd.geometry.complex import canonical_complex
    >>> whole = canonical_complex(Network([([[1], [1]], [0, -1]), ([[1, 1]], [0])]))
    >>> sorted(cell_polytope(cell).f_vector for cell in whole.cells(1))
    [(1, 1), (1, 1), (2, 1)]
    """
    complex_ = cell.complex
    if cell.dimension != complex_.dimension:
        raise InputError(f"cell: expected one of dimension {complex_.dimension}, found dimension {cell.dimension}")
    rows = CellFacets(complex_.network, box=complex_.box).rows(cell.labels)
    by_neuron = {neuron: row for row in rows for neuron in row.neurons}
    by_wall = {row.wall: row for row in rows if row.wall is not None}
    widths = complex_.network.relu_widths
    names = [(layer, i) for layer, width in enumerate(widths, start=1) for i in range(width)]
    kept = []
    for facet in cell.facets():
        sides = [(j, side) for j, side in enumerate(facet.walls) if side]
        if sides:
            kept.append(by_wall[sides[0]])
        else:
            zero = (name for name, a, b in zip(names, facet.labels, cell.labels, strict=True) if a == 0 != b)
            kept.append(by_neuron[next(zero)])
    order = {row: place for place, row in enumerate(rows)}
    facets = tuple(sorted(kept, key=order.__getitem__))
    return Polytope(complex_.dimension, cell.labels, facets, cell.interior_point())


def _built(facets_of: CellFacets, labels: tuple[int, ...], point: PointTuple | None) -> Polytope:
    rows = facets_of.rows(labels)
    inner = interior(rows, facets_of.dimension, point)
    return Polytope(facets_of.dimension, labels, tuple(rows[i] for i in irredundant(rows, inner)), inner.fractions)


def _texts(points: Sequence[PointTuple]) -> list[list[str]]:
    return [[rationals.format_rational(x) for x in point] for point in points]
