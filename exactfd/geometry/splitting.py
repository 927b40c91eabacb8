"""The ``n_0``-dimensional cells alone, by a depth-first splitting tree with an exact linear program per question.

A node of the tree is a partial ternary tuple (neurons in layer order) on an open region of ``R^{n_0}``, with a rational
point strictly inside. The next neuron is affine there, ``f(x) = a.x + c``. If ``f`` vanishes identically its label is
0; otherwise the sign of ``f`` at the point gives one child for nothing and a linear program decides the other. Memory
is one path of the tree, so cells can be streamed where the whole complex is too large to hold.

Sources: the cells are those of Grigsby, Lindsey, Meyerhoff, Wu, arXiv 2209.04036, Definition 2.5; splitting regions
neuron by neuron is the exact counting of Serra, Tjandraatmadja, Ramalingam, ICML 2018 (arXiv 1711.02114), section 6,
with proofs in place of a mixed-integer solver.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from exactfd import rationals
from exactfd.budget import Budget, Progress, silent
from exactfd.errors import BudgetExceeded, ShapeError
from exactfd.geometry.branches import cells_by_processes, is_worth
from exactfd.geometry.trees import TreeNode
from exactfd.geometry.walk import Walk
from exactfd.network import Network
from exactfd.processes import check_count


@dataclass(frozen=True, slots=True, eq=False)
class TopCells:
    """The ``n_0``-dimensional cells found.

    Attributes
    ----------
    labels
        ``(m, N)`` int8, the ternary tuples in lexicographic order, ``N = sum(relu_widths)``. A label is 0 where a
        pre-activation vanishes identically on the cell.
    points
        ``m`` rational points, each strictly inside its cell (and inside the box).
    complete
        Whether these are all of them.
    tree
        Root of the splitting tree if it was asked for and is complete.
    """

    labels: np.ndarray[Any, np.dtype[np.int8]]
    points: list[tuple[Fraction, ...]]
    complete: bool
    tree: TreeNode | None = None

    def __len__(self) -> int:
        """Number of cells."""
        return len(self.points)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; numbers as exact text."""
        cells = [
            {"labels": labels, "point": [rationals.format_rational(x) for x in point]}
            for labels, point in zip(self.labels.tolist(), self.points, strict=True)
        ]
        return {"top_cells": len(self), "complete": self.complete, "cells": cells}

    def __repr__(self) -> str:
        return f"TopCells({len(self)} cells, {'complete' if self.complete else 'not all'})"

    def _repr_html_(self) -> str:
        return f"<code>{self!r}</code>"


def split_cells(
    network: Network,
    *,
    box: Any = None,
    budget: Budget | None = None,
    progress: Progress = silent,
    tree: bool = False,
    processes: int = 1,
) -> TopCells:
    """All ``n_0``-dimensional cells of the canonical polyhedral complex, for every parameter, degenerate or not.

    Parameters
    ----------
    network
        Any network; with no ReLU neuron there is one cell, with the empty tuple.
    box
        ``(lo, hi)``, rationals per coordinate: the cells that meet this closed box in dimension ``n_0``.
    budget, progress
        Limits, and a callback ``progress("cells", found, None)``.
    tree
        Keep the splitting tree, with a refutation of every label that is left out. One process makes it.
    processes
        How many look for cells, each in branches of its own (beside this one, which waits; one BLAS thread each); the
        cells and their order are the same. One works where fewer than some thousand cells are expected.

    Raises
    ------
    BudgetExceeded
        with ``partial`` a :class:`TopCells` that is not complete.
    EngineError
        where another process does not start, is killed or runs out of memory.
    ShapeError, InputError
        where the box does not fit the network or has an empty interior.

    Notes
    -----
    Source: arXiv 2209.04036, Definition 2.5 and Lemma 2.8; see the head of this module for the method.

    Examples
    --------
    >>> net = Network([([[2], [-1]], [-5, 4]), ([[1, 1]], [1])], output_activation="relu")
    >>> split_cells(net).labels.tolist()
    [[-1, 1, 1], [1, -1, 1], [1, 1, 1]]
    """
    found: list[tuple[int, ...]] = []
    points: list[tuple[Fraction, ...]] = []
    root = TreeNode() if tree else None
    try:
        walk = _cells(network, box, budget, progress, 1 if tree else check_count(processes), root)
        for labels, point in walk:
            found.append(labels)
            points.append(point)
    except BudgetExceeded as error:
        raise BudgetExceeded(str(error), partial=_sorted_cells(network, found, points, None, False)) from None
    return _sorted_cells(network, found, points, root, True)


def iterate_cells(
    network: Network,
    *,
    box: Any = None,
    budget: Budget | None = None,
    progress: Progress = silent,
    processes: int = 1,
) -> Iterator[tuple[tuple[int, ...], tuple[Fraction, ...]]]:
    """The cells of :func:`split_cells` one at a time, as ``(labels, point strictly inside)``, in the order of the tree.

    Raises ``BudgetExceeded`` (without ``partial``: the caller has it) where a limit runs out, and as there otherwise.
    Its message says how many branches of the splitting tree are open; each holds a cell or more.

    Source: as there.

    >>> next(iterate_cells(Network([([[1, 2]], [3])])))
    ((), (Fraction(0, 1), Fraction(0, 1)))
    """
    return _cells(network, box, budget, progress, check_count(processes), None)


def _cells(
    network: Network, box: Any, budget: Budget | None, progress: Progress, processes: int, root: TreeNode | None
) -> Iterator[tuple[tuple[int, ...], tuple[Fraction, ...]]]:
    limits = Budget() if budget is None else budget
    if is_worth(network, processes, limits):
        return cells_by_processes(network, box, limits, progress, processes)
    return Walk([network], box, root).cells(limits, progress)


def iterate_refinement(
    networks: Sequence[Network],
    *,
    box: Any = None,
    budget: Budget | None = None,
    progress: Progress = silent,
    root: TreeNode | None = None,
) -> Iterator[tuple[tuple[int, ...], tuple[Fraction, ...]]]:
    """Common refinement of several networks on the same inputs: the ``n_0``-dimensional sets on which every one of them
    is affine, one at a time, as ``(labels of all networks in turn, point strictly inside)``.

    ``root`` becomes the splitting tree, neurons of the first network first, when the iterator is exhausted; without it
    memory is one path of the tree. Raises ``ShapeError`` where the numbers of inputs differ, else as
    :func:`iterate_cells`.

    Source: as there; ternary tuples of several networks side by side are those of one wider network.

    >>> hinge, line = Network([([[1]], [0]), ([[1]], [0])]), Network([([[1]], [0])])
    >>> sorted(labels for labels, _ in iterate_refinement([hinge, line]))
    [(-1,), (1,)]
    """
    sizes = {network.input_dimension for network in networks}
    if len(sizes) != 1:
        raise ShapeError(f"networks to refine together have the same number of inputs, found {sorted(sizes)}")
    return Walk(networks, box, root).cells(budget, progress)


def _sorted_cells(
    network: Network,
    found: list[tuple[int, ...]],
    points: list[tuple[Fraction, ...]],
    root: TreeNode | None,
    complete: bool,
) -> TopCells:
    order = sorted(range(len(found)), key=found.__getitem__)
    labels = np.array([found[i] for i in order], dtype=np.int8).reshape(len(found), sum(network.relu_widths))
    return TopCells(labels, [points[i] for i in order], complete, root)
