"""The canonical polyhedral complex C(theta): every cell of every dimension, on all of R^{n_0} or in a closed box.

Source: Grigsby, Lindsey, arXiv 2008.09052 (the complex); Masden, arXiv 2207.07696 (sign sequences,
supertransversality).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from flint import fmpq

from exactfd import rationals
from exactfd.budget import Budget, Progress, silent
from exactfd.errors import InputError
from exactfd.geometry.box import Box, parse_box
from exactfd.geometry.cell import Cell
from exactfd.geometry.homogeneous import HomogeneousNetwork, homogenise
from exactfd.geometry.interior import Block, InteriorPoints, Point, PointList, Simplices
from exactfd.geometry.labels import smooth_mask
from exactfd.geometry.location import locate
from exactfd.geometry.small import Cells
from exactfd.geometry.start import Walls
from exactfd.geometry.subdivision import Subdivision
from exactfd.geometry.tables import CellTable, Indices, LabelHistory, Lengths
from exactfd.geometry.transversality import is_generic
from exactfd.geometry.workers import subdivide
from exactfd.network import Network
from exactfd.processes import check_count

if TYPE_CHECKING:
    import networkx

SignArray = np.ndarray[Any, np.dtype[np.int8]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

_BATCH = 4096  # cells whose labels are unpacked together to be listed
_ENTRIES = 1 << 22  # labels unpacked together to be counted


def canonical_complex(
    network: Network,
    *,
    box: Any = None,
    budget: Budget | None = None,
    progress: Progress = silent,
    processes: int = 1,
) -> CanonicalComplex:
    """Every cell of the canonical polyhedral complex of ``network``, exactly, for every parameter.

    Parameters
    ----------
    box
        ``None`` for all of ``R^{n_0}``, or ``(lo, hi)`` for the closed box ``lo <= x <= hi``: two rationals, or two
        sequences of ``n_0`` rationals. Cells are then cut by the walls and carry wall labels.
    budget
        Limits.
    progress
        Called after every neuron. (Where nobody listens and ``max_cells`` is not set, compiled loops take less time
        for a small complex of two or three inputs.)
    processes
        How many may share the work (this one and others beside it, one BLAS thread each); the result is the same in
        every number. They hold parts of the complex twice for a while. Where they do not help, one works: fewer than
        about a million cells are expected, there is one ReLU layer only, or its rank is above 3.

    Raises
    ------
    BudgetExceeded
        with ``partial`` a tuple of lower bounds for the f-vector. The limit on memory is one for all processes.
    EngineError
        where another process does not start, is killed or runs out of memory.

    Examples
    --------
    >>> net = Network([([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), ([[1, 1, -1]], [0])])
    >>> complex_ = canonical_complex(net)
    >>> complex_.f_vector, complex_.bounded_top_cells, complex_.generic
    ((3, 9, 7), 1, True)
    """
    limits = parse_box(box, network.input_dimension)
    walls = None if limits is None else Walls.of(limits)
    homogeneous = homogenise(network, quotient=walls is None)
    found = subdivide(homogeneous, walls, budget or Budget(), progress, check_count(processes))
    found.generators.close()
    return CanonicalComplex(network, limits, homogeneous, found)


class CanonicalComplex:
    """All cells of C(theta), by dimension; made by :func:`canonical_complex`.

    Cells of dimension ``k`` are numbered ``0, ..., f_k - 1``. If the first ReLU layer has rank ``r < n_0``, no cell has
    a dimension below ``n_0 - r`` and every cell is unbounded.
    """

    def __init__(
        self, network: Network, box: Box | None, homogeneous: HomogeneousNetwork, found: Subdivision | Cells
    ) -> None:
        self.network = network
        self.box = box
        self.dimension = network.input_dimension
        self.complete = True
        self._homogeneous = homogeneous
        self._generators = found.generators
        self._tables: list[CellTable] = found.tables
        self._history: LabelHistory = found.history
        self._walls = 0 if box is None else self.dimension  # label columns before those of the neurons
        self._neurons = sum(homogeneous.widths)
        self._lineality = homogeneous.lineality
        self._points: dict[int, PointList] = {}
        self._inner: list[Indices] = [table.finite.nonzero()[0].astype(np.int32) for table in self._tables]

    @cached_property
    def _outer_number(self) -> list[Indices]:
        """By dimension: number among all cells -> number among those that are not at infinity, or -1."""
        result = []
        for table, inner in zip(self._tables, self._inner, strict=True):
            number = np.full(table.count, -1, dtype=np.int32)
            number[inner] = np.arange(len(inner), dtype=np.int32)
            result.append(number)
        return result

    @cached_property
    def _unbounded(self) -> list[BoolArray]:
        """By dimension: which of the cells that are not at infinity have a direction there."""
        marks, result = ~self._tables[0].finite, []
        for table, inner in zip(self._tables, self._inner, strict=True):
            if table.dimension:
                marks = table.union(marks)
            result.append(marks[inner])
        return result

    # ------------------------------------------------------------------ counts

    @cached_property
    def f_vector(self) -> tuple[int, ...]:
        """``(f_0, ..., f_{n_0})``, the number of cells of each dimension."""
        return (0,) * self._lineality + tuple(len(inner) for inner in self._inner)

    @property
    def top_cells(self) -> int:
        """Number of ``n_0``-dimensional cells."""
        return self.f_vector[-1]

    @property
    def bounded_top_cells(self) -> int:
        """Number of bounded ``n_0``-dimensional cells."""
        return int(self.bounded(self.dimension).sum())

    @cached_property
    def smooth_top_cells(self) -> int:
        """Number of ``n_0``-dimensional cells whose points are parametrically smooth."""
        widths = self.network.relu_widths
        return sum(int(smooth_mask(labels, widths).sum()) for labels, _ in self._label_blocks(self.dimension))

    @property
    def euler_characteristic(self) -> int:
        """Alternating sum of the f-vector: ``(-1)^{n_0}`` on ``R^{n_0}``, 1 in a closed box."""
        return sum((-1) ** k * f for k, f in enumerate(self.f_vector))

    @cached_property
    def generic(self) -> bool | None:
        """Whether every ReLU layer is a generic arrangement (see :func:`~exactfd.geometry.transversality.is_generic`);
        ``None`` where too many subsets would have to be tried.
        """
        verdicts = [is_generic(self.network.augmented(i + 1)) for i in range(len(self.network.relu_widths))]
        if False in verdicts:
            return False
        return None if None in verdicts else True

    @cached_property
    def supertransversal(self) -> bool:
        """Whether each cell has exactly as many zero labels as its codimension ([Masden], Definition 11).

        In a box: over the cells that meet the open box.
        """
        for k in range(self._lineality, self.dimension + 1):
            for labels, walls in self._label_blocks(k):
                inside = labels if self.box is None else labels[~walls.any(axis=1)]
                if (np.count_nonzero(inside, axis=1) != self._neurons - self.dimension + k).any():
                    return False
        return True

    # ------------------------------------------------------------------ cells as arrays

    def labels(self, dimension: int) -> SignArray:
        """Ternary tuples of the cells of one dimension, shape ``f_k x N``, entries -1, 0, 1."""
        k = self._level(dimension)
        if k is None:
            return np.zeros((0, self._neurons), dtype=np.int8)
        return self._history.labels(k, self._inner[k])[:, self._walls :]

    def _label_blocks(self, dimension: int) -> Iterator[tuple[SignArray, SignArray]]:
        """Ternary tuples and wall labels of the cells of one dimension, some at a time: all of them take more memory
        than the complex.
        """
        cells = self._inner_of(dimension)
        step = max(1, _ENTRIES // max(self._neurons, 1))
        for first in range(0, len(cells), step):
            rows = self._history.labels(dimension - self._lineality, cells[first : first + step])
            yield rows[:, self._walls :], rows[:, : self._walls]

    def walls(self, dimension: int) -> SignArray:
        """Wall labels, shape ``f_k x n_0`` (``f_k x 0`` without a box)."""
        k = self._level(dimension)
        if k is None:
            return np.zeros((0, 0), dtype=np.int8)
        return self._history.labels(k, self._inner[k])[:, : self._walls]

    def bounded(self, dimension: int) -> BoolArray:
        """Which cells of one dimension are bounded, shape ``f_k``."""
        k = self._level(dimension)
        if k is None:
            return np.zeros(0, dtype=bool)
        return np.zeros(len(self._inner[k]), dtype=bool) if self._lineality else ~self._unbounded[k]

    def facets(self, dimension: int) -> tuple[Indices, Lengths]:
        """Face relation: numbers of the ``(k-1)``-cells in the closure of each ``k``-cell, concatenated, and how many
        each cell has.
        """
        k = self._level(dimension)
        if k is None or k == 0:
            return np.zeros(0, dtype=np.int32), np.zeros(len(self._inner[0]) if k == 0 else 0, dtype=np.int64)
        flat, sizes = self._tables[k].rows(self._inner[k])
        numbers = self._outer_number[k - 1][flat]
        owner = np.repeat(np.arange(len(sizes)), sizes)[numbers >= 0]
        return numbers[numbers >= 0], np.bincount(owner, minlength=len(sizes))

    def vertices_of(self, dimension: int) -> tuple[Indices, Lengths]:
        """Numbers of the vertices of each ``k``-cell, concatenated, and how many each cell has (none where the first
        layer has rank below ``n_0``: no cell has a vertex then).
        """
        k = self._level(dimension)
        if k is None or self._lineality:
            return np.zeros(0, dtype=np.int32), np.zeros(self.f_vector[dimension], dtype=np.int64)
        count = len(self._inner[k])
        owner, ids = np.arange(count), self._inner[k]
        for level in range(k, 0, -1):
            ids, sizes = self._tables[level].rows(ids)
            owner = np.repeat(owner, sizes)
            pairs = np.unique(owner * np.int64(self._tables[level - 1].count) + ids)
            owner, ids = np.divmod(pairs, self._tables[level - 1].count)
        numbers = self._outer_number[0][ids]
        return numbers[numbers >= 0], np.bincount(owner[numbers >= 0], minlength=count)

    def vertices(self) -> list[tuple[Fraction, ...]]:
        """The 0-cells as points of ``R^{n_0}``, exact."""
        if self._lineality:
            return []
        coordinates = self._generators.coordinates(self._inner[0].tolist())
        return [tuple(rationals.to_fraction(e) for e in self._homogeneous.point(row)) for row in coordinates]

    def float_vertices(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The 0-cells in floats, ``f_0 x n_0``, rounded here and there: for choosing among them, not for deciding."""
        lift = rationals.to_numpy(self._homogeneous.lift)
        if self._lineality:
            return np.zeros((0, self.dimension))
        rows = []
        for *numerators, t in self._generators.coordinates(self._inner[0].tolist()):
            rows.append([*(rationals.nearest_float(fmpq(entry, t)) for entry in numerators), 1.0])
        with np.errstate(all="ignore"):
            points: np.ndarray[Any, np.dtype[np.float64]] = np.array(rows).reshape(len(rows), lift.shape[1]) @ lift.T
        return points

    def facet_indices(self, dimension: int, index: int) -> list[int]:
        """Numbers of the facets of one cell."""
        k = self._level(dimension)
        if k is None or k == 0:
            return []
        rows, _ = self._tables[k].rows(self._inner[k][[index]])
        return [int(i) for i in self._outer_number[k - 1][rows] if i >= 0]

    def _level(self, dimension: int) -> int | None:
        if not 0 <= dimension <= self.dimension:
            raise InputError(f"dimensions run from 0 to {self.dimension}, found {dimension}")
        return dimension - self._lineality if dimension >= self._lineality else None

    def _inner_of(self, dimension: int) -> Indices:
        """Numbers, in the table, of the cells of one dimension that are not at infinity; empty below the lineality."""
        k = self._level(dimension)
        return self._inner[k] if k is not None else np.zeros(0, dtype=np.int32)

    # ------------------------------------------------------------------ cells one by one

    def cell(self, dimension: int, index: int) -> Cell:
        """Cell number ``index`` of one dimension."""
        k = self._level(dimension)
        if k is None or not 0 <= index < len(self._inner[k]):
            raise InputError(f"there are {self.f_vector[dimension]} cells of dimension {dimension}, found {index}")
        return self._cell(k, index, self._history.labels(k, self._inner[k][[index]])[0].tolist())

    def _cell(self, k: int, index: int, row: list[int]) -> Cell:
        bounded = not self._lineality and not self._unbounded[k][index]
        return Cell(
            self, k + self._lineality, index, tuple(row[self._walls :]), tuple(row[: self._walls]), bool(bounded)
        )

    def cells(self, dimension: int | None = None) -> Iterator[Cell]:
        """All cells, by dimension from 0 upwards, or those of one dimension."""
        for d in range(self.dimension + 1) if dimension is None else (dimension,):
            inner = self._inner_of(d)
            for first in range(0, len(inner), _BATCH):
                rows = self._history.labels(d - self._lineality, inner[first : first + _BATCH]).tolist()
                for index, row in enumerate(rows, first):
                    yield self._cell(d - self._lineality, index, row)

    def cell_containing(self, point: Any) -> Cell:
        """The cell that contains a rational point. Raises ``InputError`` outside the box."""
        x = [rationals.to_fraction(value) for value in rationals.vector(point, what="point")]
        place = locate(self.network, x)
        key, dimension = place.labels, place.dimension
        if self.box is not None:
            sides = []
            for i, (value, low, high) in enumerate(zip(x, *self.box, strict=True)):
                if not low <= value <= high:
                    raise InputError(f"point: coordinate {i} is outside the box")
                sides.append((value == high) - (value == low))
            key = (*key, *sides)
            for k in range(dimension + 1):
                if key in self._numbers[k]:
                    return self.cell(k, self._numbers[k][key])
        return self.cell(dimension, self._numbers[dimension][key])

    @cached_property
    def _numbers(self) -> list[dict[tuple[int, ...], int]]:
        result = []
        for k in range(self.dimension + 1):
            rows = np.concatenate([self.labels(k), self.walls(k)], axis=1).tolist() if self.f_vector[k] else []
            result.append({tuple(row): i for i, row in enumerate(rows)})
        return result

    # ------------------------------------------------------------------ points

    def interior_point(self, dimension: int, index: int) -> Point:
        """A rational point in the relative interior of a cell (see :meth:`Cell.interior_point`)."""
        points = self.interior_points(dimension)
        if not 0 <= index < len(points):
            raise InputError(f"there are {len(points)} cells of dimension {dimension}, found {index}")
        return points[index]

    def interior_points(self, dimension: int, cells: Any = None) -> PointList:
        """Rational points in the relative interiors of the cells of one dimension, or of some (their numbers, or a mask
        as :meth:`bounded` is one): exact, with short dyadic coordinates where a cell has room for them.

        A sequence; its points are found, a thousand at a time, when somebody asks for them.
        """
        k, inner = dimension - self._lineality, self._inner_of(dimension)
        if cells is not None:
            inner = inner[_numbers(cells, len(inner))]
            return PointList(len(inner), partial(self._points_inside, k, inner))
        if k not in self._points:  # kept, for :meth:`interior_point`
            self._points[k] = PointList(len(inner), partial(self._points_inside, k, inner))
        return self._points[k]

    def _points_inside(self, k: int, inner: Indices, start: int, stop: int) -> Block:
        cells = inner[start:stop]
        labels = self._history.labels(k, cells)[:, self._walls :] if k == self._homogeneous.rank else None
        return self._inside.block(self._simplices.rows(k, cells), labels)

    @cached_property
    def _inside(self) -> InteriorPoints:
        return InteriorPoints(self.network, self._homogeneous, self._generators, self.box)

    @cached_property
    def _simplices(self) -> Simplices:
        return Simplices(self._tables)

    def __getstate__(self) -> dict[str, Any]:
        kept = dict(self.__dict__, _points={})  # they can be found again
        for name in ("_inside", "_simplices"):
            kept.pop(name, None)
        return kept

    def generators_of(
        self, dimension: int, index: int
    ) -> tuple[list[tuple[Fraction, ...]], list[tuple[Fraction, ...]]]:
        """Vertices and extreme directions of one cell, exact, modulo the lineality."""
        k = self._level(dimension)
        if k is None:
            raise InputError(f"there is no cell of dimension {dimension}")
        ids = self._inner[k][[index]]
        for level in range(k, 0, -1):
            ids = np.unique(self._tables[level].rows(ids)[0])
        vertices: list[tuple[Fraction, ...]] = []
        rays: list[tuple[Fraction, ...]] = []
        for coordinates in self._generators.coordinates(ids.tolist()):
            target = vertices if coordinates[-1] != 0 else rays
            target.append(tuple(rationals.to_fraction(fmpq(e)) for e in self._homogeneous.point(coordinates)))
        return vertices, rays

    # ------------------------------------------------------------------ graphs

    def face_poset(self) -> networkx.DiGraph:
        """Hasse diagram of the cells: nodes ``(dimension, index)``, an arrow from each cell to each of which it is a
        facet; node attribute ``labels``.
        """
        import networkx

        graph = networkx.DiGraph()
        for k in range(self.dimension + 1):
            graph.add_nodes_from(((k, i), {"labels": tuple(row)}) for i, row in enumerate(self.labels(k).tolist()))
        for k in range(1, self.dimension + 1):
            flat, sizes = self.facets(k)
            owner = np.repeat(np.arange(len(sizes)), sizes)
            graph.add_edges_from(
                ((k - 1, below), (k, above)) for below, above in zip(flat.tolist(), owner.tolist(), strict=True)
            )
        return graph

    def dual_graph(self) -> networkx.Graph:
        """Adjacency of the ``n_0``-dimensional cells: nodes are their indices (attributes ``labels`` and ``bounded``),
        edges the ``(n_0 - 1)``-cells between two of them (attributes ``facet``, its index, and ``neurons``, the places
        in the ternary tuple that are zero there and not on both sides).
        """
        import networkx

        graph = networkx.Graph()
        labels, bounded = self.labels(self.dimension), self.bounded(self.dimension).tolist()
        graph.add_nodes_from(
            (i, {"labels": tuple(row), "bounded": bounded[i]}) for i, row in enumerate(labels.tolist())
        )
        vanishing = self.labels(self.dimension - 1) == 0
        flat, sizes = self.facets(self.dimension)
        owner = np.repeat(np.arange(len(sizes)), sizes)
        order = np.argsort(flat, kind="stable")
        facet, cells = flat[order], owner[order]
        for i in np.flatnonzero(facet[1:] == facet[:-1]).tolist():
            one, other = int(cells[i]), int(cells[i + 1])
            changing = vanishing[facet[i]] & ((labels[one] != 0) | (labels[other] != 0))
            graph.add_edge(one, other, facet=int(facet[i]), neurons=tuple(np.flatnonzero(changing).tolist()))
        return graph

    # ------------------------------------------------------------------ reports

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``exactfd cells --json`` (without the list of cells)."""
        return {
            "architecture": list(self.network.architecture),
            "output_activation": self.network.output_activation,
            "digest": self.network.digest,
            "box": None if self.box is None else [[rationals.format_rational(e) for e in side] for side in self.box],
            "f_vector": list(self.f_vector),
            "top_cells": self.top_cells,
            "smooth_top_cells": self.smooth_top_cells,
            "bounded_top_cells": self.bounded_top_cells,
            "euler_characteristic": self.euler_characteristic,
            "generic": self.generic,
            "supertransversal": self.supertransversal,
            "complete": self.complete,
            "total_cells": sum(self.f_vector),
        }

    def __repr__(self) -> str:
        shape = ",".join(str(n) for n in self.network.architecture)
        place = "" if self.box is None else " in a box"
        return f"CanonicalComplex(({shape}){place}, f_vector={self.f_vector})"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{k}</td><td>{f}</td></tr>" for k, f in enumerate(self.f_vector))
        return f"<table><tr><th>dimension</th><th>cells</th></tr>{rows}</table>"


def _numbers(cells: Any, count: int) -> Any:
    """Numbers of cells, or a mask of all of them, as an index."""
    chosen = np.asarray(cells)
    if chosen.ndim != 1 or (chosen.dtype.kind not in "iub" and len(chosen)):
        raise InputError(f"cells: expected numbers of cells or a mask, found {cells!r:.80}")
    if chosen.dtype == bool and len(chosen) != count:
        raise InputError(f"cells: expected a mask of {count} cells, found {len(chosen)}")
    if chosen.dtype != bool and len(chosen) and not 0 <= int(chosen.min()) <= int(chosen.max()) < count:
        raise InputError(f"cells: expected numbers below {count}, found {chosen.min()} to {chosen.max()}")
    return chosen if chosen.dtype == bool else chosen.astype(np.intp)
