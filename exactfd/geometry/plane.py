"""Exact signs in the last layer of a network on a plane, where nothing need be carried from vertex to vertex.

In the plane a vertex that a layer makes is where two of its neurons vanish on one polygon of the layers before, or
where one does on an edge of theirs. Each such polygon ``P`` gets a *frame*, three of its generators of which the first
is a vertex: on the cone over ``P`` every neuron ``i`` of the layer is linear, so it is the vector ``c_i`` of its values
at the frame, and the zero of ``j`` and ``k`` has coordinates in the frame proportional to ``c_j x c_k``. On an edge the
second of the two vectors is ``(0, 0, 1)``. The sign of neuron ``i`` at that zero is that of a 3 x 3 determinant, and
only neurons that change sign on the edge that was cut are asked. Numbers are kept at the generators that the last layer
finds, and not at those, several times as many, that it makes.

Vertices are scaled to the height ``t = 1`` and rays have ``t = 0``. With ``q`` the heights of the frame (on an edge
between two rays ``q = (1, 1, 1)``) the coordinates ``x`` are scaled to ``q.x = 1``; as ``q_0 = 1``, the value of ``i``
is ``c_i0 + x_1 (c_i1 - q_1 c_i0) + x_2 (c_i2 - q_2 c_i0)``, and small polygons have small errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from exactfd.geometry import bits
from exactfd.geometry.ancestry import IntArray
from exactfd.geometry.bits import BoolArray
from exactfd.geometry.bounds import FLOOR, SLACK, UNIT, FloatArray
from exactfd.geometry.homogeneous import HomogeneousNetwork
from exactfd.geometry.signs import Frames, GeneratorTable, Numbers, blocks
from exactfd.geometry.tables import CellTable


class PlaneTable(GeneratorTable):
    """Vertices and rays of a subdivision of the plane in the making."""

    def __init__(self, network: HomogeneousNetwork, initial: Sequence[Sequence[int]]) -> None:
        super().__init__(network, initial)
        self._frames: IntArray | None = None  # places in the values where three rows begin; in the last layer only
        self._heights: FloatArray = _NO_HEIGHTS  # of the second and the third of each frame
        self._carriers: IntArray = _NO_CARRIERS  # of each edge: its frame, its neuron or -1
        self._edges = 0
        self._polygons = 0  # frames of polygons come after those of edges, this many
        self._origins: CellTable | None = None

    def start_cells(self, tables: Sequence[CellTable]) -> None:
        """Frames of the edges and polygons at the start of the last layer."""
        if not self._is_last:
            return
        _, edges, polygons = tables
        count = edges.count
        self._edges, self._polygons, self._origins = count, count, polygons
        self._carriers = np.empty((2 * count, 2), dtype=np.int32)
        self._carriers[:count, 0], self._carriers[:count, 1] = np.arange(count), -1
        self._scale_vertices()
        loops = self._compiled()
        if loops is not None:
            frames = np.empty((3, count + polygons.count), dtype=np.int64)
            self._heights = np.empty((2, count + polygons.count))
            rows = polygons.flat, polygons.starts, polygons.sizes
            loops.frame(edges.ends[:count], *rows, self.finite, self._values.shape[1], frames, self._heights)
            self._frames, self._has_numbers = frames, False
            return
        ends, (one, other) = edges.ends[:count].T, polygons.two_facets()
        (a, b), (c, d) = ends[:, one], ends[:, other]
        frames = np.empty((3, count + polygons.count), dtype=np.int64)
        frames[:2, :count], frames[2, :count] = ends, ends[0]
        # two edges of a polygon have one end in common at most
        frames[0, count:], frames[1, count:], frames[2, count:] = a, b, np.where((c == a) | (c == b), d, c)
        finite = self.finite[frames]
        for m in (1, 2):  # a vertex comes first; where there is none, three rays are dependent and decide nothing
            swap = np.flatnonzero(finite[m] & ~finite[0])
            frames[0, swap], frames[m, swap] = frames[m, swap], frames[0, swap]
            finite[0, swap], finite[m, swap] = True, False
        finite[1, :count] |= ~finite[0, :count]
        finite[2, :count] = True
        frames[2, :count] = frames[0, :count]
        frames *= self._values.shape[1]
        self._frames, self._heights, self._has_numbers = frames, finite[1:].astype(np.float64), False

    def _scale_vertices(self) -> None:
        """Divide the values at each vertex by its height."""
        self._values, self._errors = self._values[: self.count], self._errors[: self.count]
        loops = self._compiled()
        if loops is not None:
            loops.scale_vertices(self._values, self._errors, self.finite)
            return
        for rows in blocks(0, self.count, self._values.shape[1]):
            values, errors, height = self._values[rows], self._errors[rows], self._values[rows, -1:]
            moved = self.finite[rows, None] & (errors > 0.0)  # zeros stay zeros, at a height that is NaN too
            with np.errstate(all="ignore"):
                share = errors[:, -1:] / height
                scaled = values / height
                bound = (errors / height + np.abs(scaled) * (share + 4 * UNIT)) * (1.34 * SLACK) + FLOOR
            # a height that may be off by a quarter says nothing
            bound = np.where((height > 0.0) & (share < 0.25) & np.isfinite(bound), bound, np.inf)
            self._errors[rows] = np.where(moved, bound, errors)
            self._values[rows] = np.where(moved, scaled, values)

    def _forget(self, neuron: int) -> None:
        """Nothing is carried that could be dropped."""

    # ------------------------------------------------------------------ one neuron

    def add(self, ends: IntArray, neuron: int, edges: IntArray | None = None, cells: IntArray | None = None) -> None:
        """As there; new edges get the numbers that follow, first the parts of ``edges``, then one in each cell."""
        if self._frames is None or edges is None or cells is None:
            super().add(ends, neuron)
            return
        first = self.count
        self._reserve_signs(first + len(ends))
        self._reserve_carriers(self._edges + len(edges) + len(cells))
        assert self._origins is not None
        loops = self._compiled()
        if loops is not None:
            asked = np.empty(len(ends), dtype=np.int64)
            count = loops.add_in_frames(
                *(ends, first, neuron, edges, cells, self._frames, self._heights, self._carriers, self._edges),
                *(self._polygons, self._origins.origin, self._values.reshape(-1), self._errors.reshape(-1)),
                *(*self.columns, asked),
            )
            self._edges += len(edges) + len(cells)
            self.note_added(neuron, len(ends), asked[:count])
            return
        u, v = ends.T.astype(np.intp, order="C")
        positive, negative, crossing = self._enter(ends, u, v, neuron)
        frame, line = self._carry(neuron, edges, cells)
        undecided: IntArray | None = None
        crossed = np.flatnonzero(crossing if len(crossing) == 1 else crossing.any(axis=0))
        if len(crossed):
            frame, open_ = frame[crossed], crossing[:, crossed]
            at, error = self._zeros(self._frames.take(frame, axis=1), frame, neuron, line[crossed])
            done = neuron // bits.WORD * bits.WORD  # the words before are left out
            flags = bits.unpack(open_, self._width - done)
            row, asked = flags.nonzero()
            places = self._frames.take(frame[row], axis=1), self._heights.take(frame[row], axis=1)
            above, below = np.zeros(flags.shape, dtype=bool), np.zeros(flags.shape, dtype=bool)
            above[row, asked], below[row, asked] = self._signs_at(*places, at[:, row], error[:, row], done + asked)
            packed = bits.pack(np.concatenate([above, below]))
            plus, minus = packed[:, : len(crossed)], packed[:, len(crossed) :]
            positive[:, crossed] ^= open_ & ~plus
            negative[:, crossed] ^= open_ & ~minus
            undecided = crossed[(open_ & ~(plus | minus)).any(axis=0)]
        self._note_signs(first, neuron, positive, negative, undecided)

    # ------------------------------------------------------------------ many neurons

    @property
    def stride(self) -> int:
        """As there; here nothing is forgotten."""
        return bits.WORD

    @property
    def numbers(self) -> tuple[Numbers, Frames]:
        """As there, with the frames of the last layer."""
        numbers, none = super().numbers
        if self._frames is None:
            return numbers, none
        return numbers, (True, self._frames, self._heights, self._carriers, self._polygons)

    def reserve(self, points: int, edges: int) -> None:
        """As there, and for carriers."""
        super().reserve(points, edges)
        if self._frames is not None:
            self._reserve_carriers(edges)

    def note_run(self, points: int, edges: int, made: Iterable[tuple[int, int]]) -> None:
        """As there."""
        super().note_run(points, edges, made)
        if self._frames is not None:
            self._edges = edges

    # ------------------------------------------------------------------ one neuron, by NumPy

    def _carry(self, neuron: int, edges: IntArray, cells: IntArray) -> tuple[IntArray, IntArray]:
        """Frames and neurons of the edges that are cut; those of the new edges are noted."""
        middle, last = self._edges + len(edges), self._edges + len(edges) + len(cells)
        assert self._origins is not None
        own = self._carriers.take(edges, axis=0)
        self._carriers[self._edges : middle] = own
        self._carriers[middle:last, 0] = self._polygons + self._origins.origin[cells]
        self._carriers[middle:last, 1] = neuron
        self._edges = last
        return own[:, 0], own[:, 1]

    def _reserve_carriers(self, needed: int) -> None:
        if needed > len(self._carriers):
            larger = np.empty((2 * needed, 2), dtype=np.int32)
            larger[: self._edges] = self._carriers[: self._edges]
            self._carriers = larger

    def _zeros(self, base: IntArray, frame: IntArray, neuron: int, line: IntArray) -> tuple[FloatArray, FloatArray]:
        """Where ``neuron`` and ``line`` vanish: the coordinates ``x_1``, ``x_2`` (``2 x m``) in the frame, and bounds
        on their errors; infinite where the coordinates may be those of the opposite.
        """
        values, errors, heights = self._values.reshape(-1), self._errors.reshape(-1), self._heights.take(frame, axis=1)
        first, second = values.take(base + neuron), values.take(base + line)
        doubt_first, doubt_second = errors.take(base + neuron), errors.take(base + line)
        on_edge = line < 0
        second[:, on_edge], doubt_second[:, on_edge] = _THIRD, 0.0
        with np.errstate(all="ignore"):
            at = first[_NEXT] * second[_LAST] - first[_LAST] * second[_NEXT]
            first, second = np.abs(first), np.abs(second)
            rounded = doubt_second + second * (4 * UNIT)
            second += doubt_second
            error = first[_NEXT] * rounded[_LAST] + first[_LAST] * rounded[_NEXT] + FLOOR
            error += doubt_first[_NEXT] * second[_LAST] + doubt_first[_LAST] * second[_NEXT]
            height = at[0] + (at[1:] * heights).sum(axis=0)
            doubt = error[0] + (error[1:] * heights).sum(axis=0)
            doubt += (np.abs(at[0]) + (np.abs(at[1:]) * heights).sum(axis=0)) * (3 * UNIT)
            size = np.abs(height)
            at = at[1:] / height
            # numerator off by the error, denominator by the doubt, a quarter of it at most; quotients may underflow
            # before they meet large numbers
            error = (error[1:] / size + np.abs(at) * (doubt / size + 3 * UNIT)) * (1.34 * SLACK) + FLOOR
            error[:, ~((size > 4.0 * SLACK * doubt) & np.isfinite(error).all(axis=0))] = np.inf
        return at, error

    def _signs_at(
        self, base: IntArray, heights: FloatArray, at: FloatArray, error: FloatArray, neurons: IntArray
    ) -> tuple[BoolArray, BoolArray]:
        """Whether neurons are certainly positive, and certainly negative, at points given in frames."""
        total, doubt = self._values_at(base, heights, at, error, neurons)
        return total > doubt, total < -doubt

    def _values_at(
        self, base: IntArray, heights: FloatArray, at: FloatArray, error: FloatArray, neurons: IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """Values of neurons at points given in frames, and bounds on their errors."""
        base = base + neurons
        values, errors = self._values.reshape(-1).take(base), self._errors.reshape(-1).take(base)
        with np.errstate(all="ignore"):
            steps = values[1:] - heights * values[0]
            total = values[0] + (at * steps).sum(axis=0)
            # x off by its error, c by its bound, and five roundings
            moved, spread = np.abs(at) + error, np.abs(steps)
            doubt = (error * spread + moved * (errors[1:] + errors[0] + spread * (8 * UNIT))).sum(axis=0)
            return total, (doubt + errors[0] + np.abs(values[0]) * (4 * UNIT)) * SLACK + FLOOR

    def bytes_to_add(self, added: int) -> int:
        """As there; in the last layer no number is added."""
        return super().bytes_to_add(added) if self._frames is None else 0

    def _reserve(self, needed: int) -> None:
        if self._frames is None:
            super()._reserve(needed)
        else:
            self._reserve_signs(needed)

    def close(self) -> None:
        """Forget the floats; exact coordinates stay available."""
        super().close()
        self._frames, self._heights, self._carriers, self._origins = None, _NO_HEIGHTS, _NO_CARRIERS, None


#: The second vector on an edge: the third coordinate is 0 there.
_THIRD = np.array([[0.0], [0.0], [1.0]])
_NO_HEIGHTS, _NO_CARRIERS = np.zeros((2, 0)), np.zeros((0, 2), dtype=np.int32)
_NEXT, _LAST = np.array([1, 2, 0]), np.array([2, 0, 1])
