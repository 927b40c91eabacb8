"""The whole complex in parts, each subdivided alone, and put together again as if it had never been apart.

After some layers the ``r``-dimensional cells are dealt out into groups. A *part* is a group with all faces of its
cells; it is subdivided by the remaining layers like a complex of its own. A cell is cut where it is, whatever lies
beside it, so the cells of the complex are those of the parts, and only those inside a common face are found more than
once.

Numbers come back by a replay that looks at no coordinate. A neuron gives new numbers to the cells that it makes in the
order of the cells that they are made of. If the numbers of a part are in the order of those of the complex before a
neuron, they are so after it: the mixed cells of the complex are the union of those of the parts, and the places of its
own among them tell a part the numbers of its new cells. So a part need only remember which cells each neuron cut.
Facets and the ends of edges, too, come in an order that depends on the cell alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from exactfd.budget import Progress
from exactfd.geometry import bits
from exactfd.geometry.bits import BoolArray, SignArray, Words
from exactfd.geometry.subdivision import Subdivision
from exactfd.geometry.tables import CellTable, Indices, LabelHistory, Lengths, Rows

Weights = np.ndarray[Any, np.dtype[np.float64]]
#: The cells of each dimension that a neuron cut (none of dimension 0), by layer and neuron.
Cuts = dict[tuple[int, int], list[Indices]]

_SAMPLE = 64  # neurons that tell how to halve a group, and neurons that tell how much work the next layer will be
_BLOCK = 1 << 14  # cells of which the labels are looked at together


@dataclass(frozen=True, slots=True, eq=False)
class PartResult:
    """What a part knows when all neurons are done; everything by dimension, in the numbers of the part.

    Attributes
    ----------
    counts
        Number of cells at the start and after each layer.
    cuts
        Which cells each neuron cut.
    signs
        For each layer, the words of the positive and of the negative labels of its cells by then.
    rows
        Facets of all cells; nothing for dimension 0.
    parents
        Ends of the edges on which its new generators were made.
    """

    counts: list[list[int]]
    cuts: Cuts
    signs: list[list[tuple[Words, Words]]]
    rows: list[Rows]
    parents: Indices


class Part(Subdivision):
    """Some ``r``-dimensional cells of a subdivision between two layers, with all their faces.

    Attributes
    ----------
    numbers
        For each dimension, the numbers in the whole of the cells that the part began with, ascending.
    """

    def __init__(self, whole: Subdivision, top: Lengths) -> None:
        self.__dict__.update(whole.__dict__)  # the network and the budget; all else is replaced
        self.numbers = closure(whole.tables, top)
        renumbered = [np.empty(table.count, dtype=np.int32) for table in whole.tables]
        for number, cells in zip(renumbered, self.numbers, strict=True):
            number[cells] = np.arange(len(cells), dtype=np.int32)
        below = [renumbered[0], *renumbered]  # dimension 0 has no facets
        self.tables = [
            table.part(cells, number) for table, cells, number in zip(whole.tables, self.numbers, below, strict=False)
        ]
        self.generators = whole.generators.part(self.numbers[0])
        self.history = LabelHistory()
        self._waiting = [type(waiting)() for waiting in whole._waiting]
        self.counts = [[table.count for table in self.tables]]
        self.cuts: Cuts = {}
        self._place = -1, -1

    def run_rest(self, first: int, progress: Progress) -> None:
        """Cut by the neurons of the layers from ``first`` on."""
        for layer in range(first, len(self.network.widths)):
            self._place = layer, -1
            self.run_layer(layer, progress)
            self.counts.append([table.count for table in self.tables])
        self.generators.close()
        self.close()

    def cut(self, neuron: int) -> None:
        """As there."""
        self._place = self._place[0], neuron
        super().cut(neuron)

    def _runs(self, progress: Progress) -> None:
        """Each neuron is noted."""

    def _note_cut(self, mixed: Sequence[Indices | Lengths]) -> None:
        self.cuts[self._place] = [cells.astype(np.int32) for cells in mixed]

    def top_labels(self) -> tuple[Lengths, SignArray]:
        """Of its cells of the highest dimension when all neurons are done, those at infinity left out: the number of
        the cell of the whole that each is in, and its labels in the layers since.
        """
        top = self.dimension
        cells = np.flatnonzero(self.tables[top].finite[: self.tables[top].count])
        within: Indices = cells.astype(np.int32)
        for stage in reversed(self.history.stages):
            within = stage.origin[top].take(within)
        return self.numbers[top][within], self.history.labels(top, cells)

    def result(self) -> PartResult:
        """All that the whole needs when all neurons are done."""
        start = self.counts[0][0]
        signs = [[stage.signs(k) for k in range(len(self.tables))] for stage in self.history.stages]
        rows = [table.all_rows() for table in self.tables]
        return PartResult(self.counts, self.cuts, signs, rows, self.generators.ancestry()[start:])


def closure(tables: Sequence[CellTable], top: Lengths) -> list[Lengths]:
    """The given cells of the highest dimension and all faces of theirs: their numbers by dimension, ascending."""
    numbers = [np.sort(top)]
    for table, below in zip(tables[:0:-1], tables[-2::-1], strict=True):
        marks = np.zeros(below.count, dtype=bool)
        marks[table.rows(numbers[0])[0]] = True
        numbers.insert(0, np.flatnonzero(marks))
    return numbers


def groups(whole: Subdivision, layer: int, count: int) -> list[Lengths]:
    """The cells of the highest dimension in ``count`` groups of about as much work in the layers from ``layer`` on;
    fewer where that cannot be.

    Groups are halved by the bent hyperplane of the neuron that comes closest to it, so that few cells are common.
    """
    every = np.arange(whole.tables[-1].count)
    if whole.dimension == 0:
        return [every]
    return _dealt(_some_labels(whole), _work(whole, layer), every, count)


def _some_labels(whole: Subdivision) -> BoolArray:
    """Where some of the neurons so far are positive, one row a neuron."""
    count, rows = whole.tables[-1].count, []
    for start in range(0, count, _BLOCK):
        labels = whole.history.labels(whole.dimension, np.arange(start, min(start + _BLOCK, count)))
        rows.append(labels[:, :: -(-labels.shape[1] // _SAMPLE)].T > 0)
    return np.concatenate(rows, axis=1)


def _work(whole: Subdivision, layer: int) -> Weights:
    """Into how many parts about the next layer cuts each cell, as floats and some of its neurons tell."""
    width, dimension = whole.network.widths[layer], whole.dimension
    seen = min(width, _SAMPLE)
    positive, negative = whole.generators.guessed_signs(layer, seen)
    for table in whole.tables[1:]:
        positive, negative = table.union(positive), table.union(negative)
    cut = bits.unpack((positive & negative)[None, :], seen).sum(axis=1) * (width / seen)
    work: Weights = (1.0 + cut / dimension) ** dimension
    return work


def _dealt(positive: BoolArray, work: Weights, cells: Lengths, count: int) -> list[Lengths]:
    if count == 1 or len(cells) < 2:
        return [cells]
    labels = positive[:, cells]
    above, total = np.array([work[cells[side]].sum() for side in labels]), work[cells].sum()
    less = count // 2
    # either side may be the smaller one
    off = np.minimum(np.abs(above - total * less / count), np.abs(total - above - total * less / count))
    off[labels.all(axis=1) | ~labels.any(axis=1)] = np.inf
    if not np.isfinite(off).any():
        return [cells]
    neuron = int(off.argmin())
    side = labels[neuron] if 2 * above[neuron] <= total else ~labels[neuron]
    return [*_dealt(positive, work, cells[side], less), *_dealt(positive, work, cells[~side], count - less)]
