"""The whole complex from its parts: numbers by a replay of what each neuron cut (see :mod:`exactfd.geometry.parts`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from exactfd.budget import Progress, silent
from exactfd.errors import InternalError
from exactfd.geometry.bits import Words
from exactfd.geometry.parts import PartResult
from exactfd.geometry.subdivision import Subdivision
from exactfd.geometry.tables import Indices, Lengths, ranges


def merge(
    whole: Subdivision,
    first: int,
    begun: Sequence[Sequence[Lengths]],
    parts: Sequence[PartResult],
    progress: Progress = silent,
) -> None:
    """Bring ``whole``, where the layers before ``first`` have cut, to the end that its parts came to.

    ``begun`` tells, for each part and dimension, the numbers of the cells that it began with.
    """
    replay = _Replay(whole, begun, parts)
    done, total = sum(whole.network.widths[:first]), sum(whole.network.widths)
    for step, layer in enumerate(range(first, len(whole.network.widths)), 1):
        for table in whole.tables:
            table.restart_origins()
        for neuron in range(whole.network.widths[layer]):
            replay.cut(layer, neuron)
            done += 1
            progress("merged neurons", done, total)
            whole.check_budget()
        whole.history.record(whole.network.widths[layer], *replay.signs(step), whole.tables)
    replay.finish()


class _Replay:
    def __init__(self, whole: Subdivision, begun: Sequence[Sequence[Lengths]], parts: Sequence[PartResult]) -> None:
        self.whole, self.parts = whole, parts
        # number in the part -> number in the whole, by part and dimension; filled as cells are made
        self.numbers = [[np.empty(count, dtype=np.int32) for count in part.counts[-1]] for part in parts]
        self.counts = [list(part.counts[0]) for part in parts]
        for numbers, cells in zip(self.numbers, begun, strict=True):
            for number, known in zip(numbers, cells, strict=True):
                number[: len(known)] = known

    def cut(self, layer: int, neuron: int) -> None:
        """Numbers for the cells that one neuron makes."""
        cuts = [part.cuts.get((layer, neuron)) for part in self.parts]
        here = [place for place, mixed in enumerate(cuts) if mixed is not None]
        if not here:
            return
        tables = self.whole.tables
        union: list[Lengths] = [np.zeros(0, dtype=np.intp)]
        places: list[list[Indices]] = [[union[0].astype(np.int32)] * len(here)]  # of those of each part among them
        for k in range(1, len(tables)):
            cells = [self.numbers[p][k].take(mixed[k]) for p in here if (mixed := cuts[p]) is not None]
            merged = _union(cells)
            union.append(merged.astype(np.intp))
            position = tables[k].position
            position[union[k]] = np.arange(len(merged), dtype=np.int32)
            places.append([position.take(own) for own in cells])
        self.whole.generators.note_made(layer, neuron, tables[0].count)
        counts = [table.count for table in tables]
        for k, table in enumerate(tables):
            parents = [(table, union[k])] if k else []
            if k + 1 < len(tables):
                parents.append((tables[k + 1], union[k + 1]))
            table.inherit(parents)
            middle = np.int32(counts[k] + len(union[k]))
            for i, p in enumerate(here):
                fresh = [places[k][i] + np.int32(counts[k])]  # c-, then c0
                if k + 1 < len(tables):
                    fresh.append(places[k + 1][i] + middle)
                for new in fresh:
                    last = self.counts[p][k] + len(new)
                    self.numbers[p][k][self.counts[p][k] : last] = new
                    self.counts[p][k] = last

    def signs(self, step: int) -> tuple[list[Words], list[Words]]:
        """Labels of all cells, the positive ones and the negative ones, in a layer that is done."""
        if self.counts != [part.counts[step] for part in self.parts]:
            raise InternalError("the parts of a complex tell of other cells than they have")
        result: tuple[list[Words], list[Words]] = [], []
        for k, table in enumerate(self.whole.tables):
            for side, words in enumerate(result):
                pieces = [part.signs[step - 1][k][side] for part in self.parts]
                together: Words = np.empty((len(pieces[0]), table.count), dtype=np.uint64)
                for piece, numbers in zip(pieces, self.numbers, strict=True):
                    at = numbers[k][: piece.shape[1]]
                    for row, values in zip(together, piece, strict=True):
                        row[at] = values
                words.append(together)
        return result

    def finish(self) -> None:
        """Facets, and what the generators are made from."""
        whole = self.whole
        for k, table in enumerate(whole.tables[1:], 1):
            sizes: Indices = np.empty(table.count, dtype=np.int32)
            for part, numbers in zip(self.parts, self.numbers, strict=True):
                sizes[numbers[k]] = part.rows[k][1]
            starts = np.cumsum(sizes, dtype=np.int64) - sizes
            flat: Indices = np.empty(int(sizes.sum()), dtype=np.int32)
            for part, numbers in zip(self.parts, self.numbers, strict=True):
                entries, own = part.rows[k]
                flat[ranges(starts[numbers[k]], own)] = numbers[k - 1].take(entries)
            table.replace_rows(flat, sizes)
            whole.budget.check()
        count = whole.tables[0].count
        parents = np.empty((count, 2), dtype=np.int32)
        for part, numbers in zip(self.parts, self.numbers, strict=True):
            parents[numbers[0][part.counts[0][0] :]] = numbers[0].take(part.parents)
        whole.generators.replace(parents, whole.tables[0].finite[:count])
        whole.close()


def _union(sorted_lists: list[Indices]) -> Indices:
    """The numbers in any of the lists, each once, ascending."""
    if len(sorted_lists) == 1:
        return sorted_lists[0]
    numbers: Indices = np.concatenate(sorted_lists)
    numbers.sort()
    fresh = np.ones(len(numbers), dtype=bool)
    np.not_equal(numbers[1:], numbers[:-1], out=fresh[1:])
    return numbers[fresh]
