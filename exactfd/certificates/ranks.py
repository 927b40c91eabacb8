"""Certificates for ranks: batch functional dimension and functional dimension."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq, fmpz

from exactfd import rationals
from exactfd.annihilation import annihilates
from exactfd.batches import BatchResult
from exactfd.batchproofs import KernelProof
from exactfd.budget import Budget, Progress, silent
from exactfd.certificates.complex_trees import ComplexTree
from exactfd.certificates.document import Certificate, sparse, texts
from exactfd.certificates.trees import open_tree
from exactfd.dimension import DimensionResult, sampled_cells
from exactfd.errors import InternalError
from exactfd.geometry.complex import CanonicalComplex, canonical_complex
from exactfd.geometry.homogeneous import homogenise
from exactfd.geometry.labels import smooth_mask
from exactfd.geometry.location import ternary_tuples
from exactfd.geometry.splitting import split_cells
from exactfd.geometry.top import is_small
from exactfd.kernels import kernel
from exactfd.network import Network
from exactfd.rankproof import RankSearch

Point = tuple[Fraction, ...]
Labels = tuple[int, ...]


def batch_certificate(result: BatchResult, *, budget: Budget | None = None, progress: Progress = silent) -> Certificate:
    """Certificate that the rank of ``J Ev_Z`` is exactly ``result.rank``, or at least ``result.lower`` where the result
    is not proved.

    The format knows kernels of all rows only, vector by vector: one that leaves rows out, directions that activation
    patterns force, and relations are replaced by a whole kernel, which takes longer than the result did.
    Raises ``BudgetExceeded`` when the budget runs out first.
    """
    network, points = result.network, result.batch
    claim = {
        "quantity": "batch_rank",
        "relation": "==" if result.status == "proved" else ">=",
        "value": result.lower,
        "points": [texts(point) for point in points],
    }
    search, skip = result.search, 0
    if search.rank < result.lower:  # an unlucky prime
        search, skip = _full_rank_search(result, skip)
    lower = {"rule": "minor", **_minor(search, search.pivot_numbers[: result.lower])}
    if result.status != "proved":
        return Certificate(network, claim, {"lower": lower})
    if result.rank == len(points) * network.output_dimension:
        upper: dict[str, Any] = {"rule": "size"}
    elif result.rank == network.upper_bound:
        upper = {"rule": "theory"}
    else:
        proof, columns = result.proof, search.free_columns()
        if (
            isinstance(proof, KernelProof)
            and not proof.left_out
            and not proof.spanned
            and proof.forced == len(search.gauge.columns)
        ):
            vectors, columns = proof.vectors, proof.columns
        else:
            vectors = kernel(search, budget=budget, progress=progress)
            while not annihilates(network, vectors, result.labels, points, budget=budget, progress=progress):
                search, skip = _full_rank_search(result, skip)  # modulo the prime the supports were too small
                vectors, columns = kernel(search, budget=budget, progress=progress), search.free_columns()
            lower = {"rule": "minor", **_minor(search, search.pivot_numbers)}
        upper = {"rule": "kernel", **_kernel(search, vectors, columns)}
    return Certificate(network, claim, {"lower": lower, "upper": upper})


def _full_rank_search(result: BatchResult, skip: int) -> tuple[RankSearch, int]:
    """A search over all points whose prime shows the whole rank, after passing over ``skip`` primes; and how many to
    pass over next time.
    """
    while True:
        search = RankSearch.start(result.network, skip=skip)
        skip += 1
        if search.add_points(result.labels, result.batch) and search.rank >= result.lower:
            return search, skip


def dimension_certificate(
    result: DimensionResult, *, budget: Budget | None = None, progress: Progress = silent
) -> Certificate:
    """Certificate that the functional dimension is exactly ``result.value``, or at least ``result.lower`` where the
    result is not proved.

    The cells are enumerated once more, as a splitting tree with a Farkas combination for every label that cannot
    occur, unless the theoretical bound is attained. Raises ``BudgetExceeded`` when the budget runs out first.
    """
    network, search = result.network, result.search
    relation = "==" if result.status == "proved" else ">="
    claim = {"quantity": "functional_dimension", "relation": relation, "value": result.lower}
    evidence: dict[str, Any] = {}
    if relation == ">=" or result.lower == network.upper_bound:
        points = _points_of_pivots(network, search, _finder(result, budget))
        evidence["lower"] = _lower(network, search, points)
        if relation == "==":
            evidence["upper"] = {"rule": "theory"}
        return Certificate(network, claim, evidence)
    tree, find = _tree(result, budget, progress)
    evidence["lower"] = _lower(network, search, _points_of_pivots(network, search, find))
    hidden = result.solve(budget=budget, progress=progress)
    known_kernel = _kernel(search, list(hidden.values()), list(hidden))
    evidence["upper"] = {"rule": "kernel", **known_kernel, "tree": tree}
    return Certificate(network, claim, evidence)


def _tree(
    result: DimensionResult, budget: Budget | None, progress: Progress
) -> tuple[list[dict[str, Any]], Callable[[Labels], Point]]:
    """The splitting tree of all cells, and a way to points inside them."""
    network = result.network
    if result.engine == "complex" or is_small(homogenise(network)):
        cells = canonical_complex(network, budget=budget, progress=progress)
        return ComplexTree(cells, "open", budget=budget, progress=progress).build(), _finder(result, budget, cells)
    split = split_cells(network, tree=True, budget=budget, progress=progress)
    if split.tree is None:
        raise InternalError("the splitting tree is missing")
    known = dict(zip(map(tuple, split.labels.tolist()), split.points, strict=True))
    return open_tree(split.tree, leaves="empty"), known.__getitem__


def _kernel(search: RankSearch, hidden: Sequence[Sequence[fmpz]], free: Sequence[int]) -> dict[str, Any]:
    """Scaling directions, then hidden ones: echelon form on the gauge columns and the free columns."""
    scaling = [rationals.primitive_row(vector)[0] for vector in search.gauge.vectors]
    return {"columns": [*search.gauge.columns, *free], "vectors": [sparse(vector) for vector in (*scaling, *hidden)]}


def _minor(search: RankSearch, rows: Sequence[int]) -> dict[str, Any]:
    return {"prime": search.prime, "rows": list(rows), "columns": search.pivot_columns()[: len(rows)]}


# --------------------------------------------------------------------------- points that see the cells


def _finder(
    result: DimensionResult, budget: Budget | None, cells: CanonicalComplex | None = None
) -> Callable[[Labels], Point]:
    """A point of an open cell, given its labels: a sample point, or from all cells only where that is needed."""
    sampled, points = sampled_cells(result.network)
    known = {tuple(row): number for number, row in enumerate(sampled.tolist())}
    search_all: list[Callable[[Labels], Point]] = []

    def find(labels: Labels) -> Point:
        if labels in known:
            return tuple(map(rationals.to_fraction, points[known[labels]]))
        if not search_all:
            search_all.append(_points_of_all_cells(result, budget, cells))
        return search_all[0](labels)

    return find


def _points_of_all_cells(
    result: DimensionResult, budget: Budget | None, cells: CanonicalComplex | None
) -> Callable[[Labels], Point]:
    network = result.network
    if cells is None and result.engine != "complex":  # it may be too large
        found = split_cells(network, budget=budget)
        return dict(zip(map(tuple, found.labels.tolist()), found.points, strict=True)).__getitem__
    cells = cells or canonical_complex(network, budget=budget)
    top = network.input_dimension
    index = {tuple(row): number for number, row in enumerate(cells.labels(top).tolist())}
    return lambda labels: cells.interior_point(top, index[labels])


def _points_of_pivots(
    network: Network, search: RankSearch, find: Callable[[Labels], Point]
) -> list[tuple[Point, Labels]]:
    """``n_0 + 1`` affinely independent points in each cell that contributed a pivot: they span its coefficient rows."""
    labels = search.labels()
    cells = [tuple(labels[item].tolist()) for item in sorted({row.item for row in search.pivot_rows()})]
    centres = [find(tuple_) for tuple_ in cells]
    around = _neighbours(network, cells, centres)
    return [
        (point, tuple_)
        for tuple_, centre, others in zip(cells, centres, around, strict=True)
        for point in (centre, *others)
    ]


def _neighbours(network: Network, cells: Sequence[Labels], centres: Sequence[Point]) -> list[list[Point]]:
    """For every cell and axis a point of the same open cell, displaced from its centre along the axis."""
    n = network.input_dimension
    found: list[list[Point]] = [[() for _ in range(n)] for _ in cells]
    waiting, bits = [(i, axis) for i in range(len(cells)) for axis in range(n)], 0
    while waiting:
        step = Fraction(1, 1 << bits)
        moved = [(*centres[i][:axis], centres[i][axis] + step, *centres[i][axis + 1 :]) for i, axis in waiting]
        exact = [[rationals.to_fmpq(x) for x in point] for point in moved]
        labels = map(tuple, ternary_tuples(network, exact).tolist())
        left = []
        for place, point, tuple_ in zip(waiting, moved, labels, strict=True):
            if tuple_ == cells[place[0]]:
                found[place[0]][place[1]] = point
            else:
                left.append(place)
        waiting, bits = left, bits + 1 + bits // 3
    return found


def _lower(network: Network, search: RankSearch, points: Sequence[tuple[Point, Labels]]) -> dict[str, Any]:
    """A minor at some of the points: those that it needs."""
    exact = [[rationals.to_fmpq(x) for x in point] for point, _ in points]
    labels = np.array([tuple_ for _, tuple_ in points], dtype=np.int8)
    labels = labels.reshape(len(points), sum(network.relu_widths))
    if not smooth_mask(labels, network.relu_widths).all():
        raise InternalError("a pivot lies on a cell that is not smooth")
    at_points, skip = _search_at(network, search.prime, labels, exact), 0
    while at_points is None or at_points.rank < search.rank:
        at_points = RankSearch.start(network, skip=skip)
        if not at_points.add_points(labels, exact):
            at_points = None
        skip += 1
    outputs = network.output_dimension
    rows = at_points.pivot_numbers[: search.rank]  # they may see more of a cell than a spent budget did
    kept = sorted({row // outputs for row in rows})
    place = {point: number for number, point in enumerate(kept)}
    renumbered = [place[row // outputs] * outputs + row % outputs for row in rows]
    return {"rule": "minor", **_minor(at_points, renumbered), "points": [texts(points[i][0]) for i in kept]}


def _search_at(
    network: Network, prime: int, labels: np.ndarray[Any, np.dtype[np.int8]], points: list[list[fmpq]]
) -> RankSearch | None:
    search = RankSearch.modulo(network, prime)
    return search if search is not None and search.add_points(labels, points) else None
