"""Which cells the neurons of one word will still cut."""

from __future__ import annotations

from typing import Any

import numpy as np

from exactfd.geometry.bits import Words
from exactfd.geometry.tables import Indices, Lengths

COMPRESS = 16  # neurons between two looks for cells that no further neuron of the word cuts

_NO_CELLS: Indices = np.zeros(0, dtype=np.int32)
_NO_WORDS: Words = np.zeros(0, dtype=np.uint64)
_NO_PLACES: Lengths = np.zeros(0, dtype=np.int64)


class Waiting:
    """Cells of one dimension that neurons of the current word may still cut, with the bits of those neurons."""

    def __init__(self) -> None:
        self.cells: Indices = _NO_CELLS
        self.mixed: Words = _NO_WORDS
        self.count = 0
        # what the loops find: the cells that a neuron cuts and their places, and where the rows of their parts begin
        self.found: Indices = _NO_CELLS
        self.places: Indices = _NO_CELLS
        self.begins: Lengths = _NO_PLACES

    def collect(self, cells: Indices, mixed: Words, count: int) -> None:
        """Start a word: the first ``count`` of the ``cells`` wait for the neurons whose bits are in ``mixed``."""
        self.cells, self.mixed, self.count = cells, mixed, count

    def hits(self, bit: np.uint64) -> Lengths:
        """Places of the cells that the neuron ``bit`` cuts."""
        return (self.mixed[: self.count] & bit).nonzero()[0]

    def update(self, places: Lengths, cells: Lengths, mixed: Words) -> None:
        """New bits for the cells at ``places``, then for the cells ``cells``, which join the list."""
        m = len(places)
        self.mixed[places] = mixed[:m]
        last = self.count + len(cells)
        self.reserve(last)
        self.cells[self.count : last], self.mixed[self.count : last] = cells, mixed[m:]
        self.count = last

    def reserve(self, needed: int) -> None:
        """Room for so many cells."""
        if needed > len(self.cells):
            room = max(needed, 3 * len(self.cells) // 2)
            self.cells, old_cells = np.empty(room, dtype=np.int32), self.cells
            self.mixed, old_mixed = np.empty(room, dtype=np.uint64), self.mixed
            self.cells[: self.count], self.mixed[: self.count] = old_cells[: self.count], old_mixed[: self.count]

    @property
    def columns(self) -> tuple[Indices, Words, Indices, Indices, Lengths]:
        """All of it, for compiled loops."""
        return self.cells, self.mixed, self.found, self.places, self.begins

    def find(self, loops: Any, bit: np.uint64, position: Indices) -> int:
        """Number of cells that the neuron ``bit`` cuts: they are noted, with their places and positions."""
        self.reserve_found()
        return int(loops.hits(bit, self.cells, self.mixed, self.count, self.found, self.places, position))

    def reserve_found(self) -> None:
        """Room for what the loops find."""
        if len(self.found) < self.count:
            self.found, self.places = np.empty((2, len(self.cells)), dtype=np.int32)
            self.begins = np.empty(len(self.cells), dtype=np.int64)

    def compress(self, loops: Any = None) -> None:
        """Forget the cells without a bit left."""
        if loops is not None:
            self.count = loops.compress(self.cells, self.mixed, self.count)
            return
        waiting = np.flatnonzero(self.mixed[: self.count])
        self.cells, self.mixed, self.count = self.cells[waiting], self.mixed[waiting], len(waiting)
