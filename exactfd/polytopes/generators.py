"""Vertices, extreme rays, faces and pulling triangulations of one polyhedron from its facets, in exact integers.

The double description method on homogeneous coordinates (Motzkin, Raiffa, Thompson, Thrall 1953; Fukuda, Prodon,
*Double description method revisited*, 1996): from the cone on independent rows, each further row cuts off the rays on
its wrong side and adds one ray for each adjacent pair across it. Faces are sets of generators, kept as bits of
integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from flint import fmpq_mat

from exactfd.linalg.exact import pivot_columns

Vector = tuple[int, ...]


def extreme_rays(rows: Sequence[Vector]) -> list[Vector]:
    """Extreme rays of the cone ``{y : r.y >= 0 for all rows}``, primitive integers; exact.

    The rows have full column rank, so that the cone contains no line. Source: see the head of this module.

    >>> sorted(extreme_rays([(1, 0), (0, 1), (1, 1)]))
    [(0, 1), (1, 0)]
    """
    size = len(rows[0])
    first = pivot_columns(fmpq_mat(rows).transpose())
    inverse = fmpq_mat([rows[i] for i in first]).inv()
    tops, _ = inverse.numer_denom()
    table = tops.tolist()
    rays = [_primitive([int(table[i][j]) for i in range(size)]) for j in range(size)]
    # the zero set of a ray: bit i where row i vanishes on it
    zeros = [sum(1 << first[i] for i in range(size) if i != j) for j in range(size)]
    for number, row in enumerate(rows):
        if number in first:
            continue
        values = [sum(a * x for a, x in zip(row, ray, strict=True)) for ray in rays]
        above = [k for k, value in enumerate(values) if value > 0]
        below = [k for k, value in enumerate(values) if value < 0]
        made: list[tuple[Vector, int]] = []
        for p in above:
            for q in below:
                common = zeros[p] & zeros[q]
                if common.bit_count() < size - 2:
                    continue
                if any(common & other == common for k, other in enumerate(zeros) if k not in (p, q)):
                    continue  # a ray between them: they are not adjacent
                ray = _primitive([values[p] * b - values[q] * a for a, b in zip(rays[p], rays[q], strict=True)])
                made.append((ray, common | 1 << number))
        kept = [
            (rays[k], zeros[k] | (1 << number if value == 0 else 0)) for k, value in enumerate(values) if value >= 0
        ]
        rays, zeros = [ray for ray, _ in kept + made], [zero for _, zero in kept + made]
    return rays


def _primitive(entries: list[int]) -> Vector:
    content = gcd(*entries) or 1
    return tuple(entry // content for entry in entries)


def facets_of_face(face: int, facets: Sequence[int]) -> list[int]:
    """Facets of a face, all given as sets of generators (bits): the largest proper intersections with facets.

    Source: Ziegler, *Lectures on Polytopes*, section 2.2 (the face lattice is coatomic).

    >>> facets_of_face(0b1111, [0b0011, 0b0110, 0b1100, 0b1001, 0b0001])
    [3, 6, 9, 12]
    """
    parts = sorted({face & facet for facet in facets if face & facet != face})
    return [part for part in parts if part and not any(part & other == part for other in parts if other != part)]


def faces_by_dimension(facets: Sequence[int], everything: int, points: int) -> list[list[int]]:
    """Faces of dimension ``d, d - 1, ..., 0`` of a pointed polyhedron, as sets of generators.

    ``points`` are the generators that are vertices; a set without one is a face at infinity and left out. Source: as
    :func:`facets_of_face`.

    >>> [len(level) for level in faces_by_dimension([0b0011, 0b0110, 0b1100, 0b1001], 0b1111, 0b1111)]
    [1, 4, 4]
    """
    levels = [[everything]]
    while True:
        below = {part for face in levels[-1] for part in facets_of_face(face, facets) if part & points}
        if not below:
            return levels
        levels.append(sorted(below))


def pulling_triangulation(face: int, facets: Sequence[int], known: dict[int, list[Vector]]) -> list[Vector]:
    """Simplices of the pulling triangulation of a bounded face, each a tuple of generator numbers.

    The generator of least number is coned over the triangulations of the facets that do not contain it. ``known`` keeps
    what is found for other faces. Source: De Loera, Rambau, Santos, *Triangulations*, section 4.3.2.

    >>> pulling_triangulation(0b1111, [0b0011, 0b0110, 0b1100, 0b1001], {})
    [(0, 1, 2), (0, 2, 3)]
    """
    if face not in known:
        least = face & -face
        apex = least.bit_length() - 1
        known[face] = [
            (apex, *simplex)
            for part in facets_of_face(face, facets)
            if not part & least
            for simplex in pulling_triangulation(part, facets, known)
        ] or [(apex,)]
    return known[face]
