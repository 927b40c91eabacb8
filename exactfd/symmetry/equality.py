"""Whether two networks have the same function, on all of ``R^{n_0}`` or on a box: proved either way.

Both functions are continuous and affine on each ``n_0``-dimensional cell of the common refinement of their complexes,
and those cells are dense. So the functions are equal exactly when the affine maps agree on each such cell.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from flint import fmpz_mat

from exactfd import rationals
from exactfd.budget import Budget, Progress, silent
from exactfd.errors import BudgetExceeded, ShapeError
from exactfd.geometry.affine import CellMaps
from exactfd.geometry.box import Box, parse_box
from exactfd.geometry.splitting import iterate_refinement
from exactfd.geometry.trees import TreeNode
from exactfd.network import Network
from exactfd.symmetry.canonical import equivalence
from exactfd.symmetry.group import Symmetry

if TYPE_CHECKING:
    from exactfd.certificates import Certificate

Vector = tuple[Fraction, ...]
Method = Literal["identical parameters", "symmetry", "sample point", "common refinement"]

_STEPS = 1000  # refinements spent on a symmetry before the cells are walked
_SAMPLES = 40


@dataclass(frozen=True, slots=True)
class Witness:
    """A point where two functions differ, and both values there."""

    point: Vector
    first: Vector
    second: Vector

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; numbers as exact text."""
        return {name: [rationals.format_rational(x) for x in getattr(self, name)] for name in self.__slots__}

    def __repr__(self) -> str:
        return f"Witness({_text(self.point)}: {_text(self.first)} and {_text(self.second)})"

    def _repr_html_(self) -> str:
        return f"<code>{self!r}</code>"


@dataclass(frozen=True)
class EqualityResult:
    """Whether two networks have the same function, and how it is known.

    Attributes
    ----------
    first, second
        The networks.
    equal
        True or False when proved, None when a budget ran out before.
    method
        What proved it: ``"identical parameters"``, ``"symmetry"`` (permutations and positive scalings), ``"sample
        point"`` or ``"common refinement"``; None when nothing did.
    witness
        Where they differ, when they do.
    symmetry
        The element with ``symmetry.apply(first) == second`` when one is known.
    cells
        Cells of the common refinement that were compared, or None when none was needed.
    box
        The corners of the box that the answer is about, or None for all of ``R^{n_0}``.
    limit
        The message of the budget that ran out, or None.
    tree
        Splitting tree of the pair when it was asked for and proves equality.
    """

    first: Network
    second: Network
    equal: bool | None
    method: Method | None
    witness: Witness | None = None
    symmetry: Symmetry | None = None
    cells: int | None = None
    box: Box | None = None
    limit: str | None = None
    tree: TreeNode | None = field(default=None, repr=False, compare=False)

    @property
    def status(self) -> Literal["proved", "undecided"]:
        """``"undecided"`` when a budget ran out."""
        return "undecided" if self.equal is None else "proved"

    @cached_property
    def certificate(self) -> Certificate:
        """The answer with its evidence, as a document that ``exactfd verify`` re-checks; made when first asked for.

        Raises ``InputError`` where nothing is proved, or equality on a box alone (no certificate can say that). A walk
        of the common refinement without ``tree`` is done again.
        """
        from exactfd.certificates.functions import equality_certificate

        return equality_certificate(self)

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``exactfd equal --json``."""
        return {
            "equal": self.equal,
            "status": self.status,
            "method": self.method,
            "witness": None if self.witness is None else self.witness.to_dict(),
            "symmetry": None if self.symmetry is None else self.symmetry.to_dict(),
            "cells": self.cells,
            "box": None if self.box is None else [[rationals.format_rational(x) for x in side] for side in self.box],
            "networks": [
                {
                    "architecture": list(network.architecture),
                    "output_activation": network.output_activation,
                    "digest": network.digest,
                }
                for network in (self.first, self.second)
            ],
            "limit": self.limit,
        }

    def __repr__(self) -> str:
        where = "" if self.box is None else " on the box"
        if self.equal is None:
            return f"EqualityResult(undecided{where}: {self.limit})"
        if self.witness is None:
            return f"EqualityResult(equal{where}, by {self.method})"
        return f"EqualityResult(different{where}, by {self.method}: {self.witness!r})"

    def _repr_html_(self) -> str:
        return f"<code>{self!r}</code>"


@dataclass(frozen=True, slots=True)
class DifferenceCell:
    """``F_first - F_second`` on one ``n_0``-dimensional cell of the common refinement: ``matrix x + offset``.

    ``first_labels`` and ``second_labels`` are the ternary tuples of the two networks there, ``point`` is a rational
    point strictly inside.
    """

    point: Vector
    first_labels: tuple[int, ...]
    second_labels: tuple[int, ...]
    matrix: tuple[Vector, ...]
    offset: Vector

    @property
    def is_zero(self) -> bool:
        """Whether the two functions are equal on the cell."""
        return not any(self.offset) and not any(map(any, self.matrix))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; numbers as exact text."""
        return {
            "point": [rationals.format_rational(x) for x in self.point],
            "first_labels": list(self.first_labels),
            "second_labels": list(self.second_labels),
            "matrix": [[rationals.format_rational(x) for x in row] for row in self.matrix],
            "offset": [rationals.format_rational(x) for x in self.offset],
        }

    def __repr__(self) -> str:
        return f"DifferenceCell({_text(self.point)}: {'zero' if self.is_zero else 'not zero'})"

    def _repr_html_(self) -> str:
        return f"<code>{self!r}</code>"


def difference_maps(
    first: Network, second: Network, *, box: Any = None, budget: Budget | None = None, progress: Progress = silent
) -> Iterator[DifferenceCell]:
    """The affine maps of ``F_first - F_second`` on every cell of the common refinement, one at a time. Exact.

    Parameters
    ----------
    first, second
        Networks with the same numbers of inputs and of outputs; all else may differ.
    box
        ``(lo, hi)``, rationals per coordinate: the cells that meet the open box.
    budget, progress
        Limits (of cells, time, memory), and a callback ``progress("cells", found, None)``.

    Raises
    ------
    BudgetExceeded
        where a limit runs out.
    ShapeError, InputError

    Notes
    -----
    Source: Grigsby, Lindsey, Meyerhoff, Wu, arXiv 2209.04036, Lemma 2.8 (affine on each cell).

    Examples
    --------
    >>> hinge, line = Network([([[1]], [0]), ([[1]], [0])]), Network([([[1]], [0])])
    >>> for cell in difference_maps(hinge, line):
    ...     print(cell.first_labels, cell.matrix, cell.offset)
    (1,) ((Fraction(0, 1),),) (Fraction(0, 1),)
    (-1,) ((Fraction(-1, 1),),) (Fraction(0, 1),)
    """
    _check_comparable(first, second)
    cells = _differences(first, second, box, budget, progress, None)
    cut, n = sum(first.relu_widths), first.input_dimension
    for labels, point, numerators, denominator in cells:
        rows = [tuple(Fraction(int(x), int(denominator)) for x in row) for row in numerators.tolist()]
        matrix, offset = tuple(row[:n] for row in rows), tuple(row[n] for row in rows)
        yield DifferenceCell(point, labels[:cut], labels[cut:], matrix, offset)


def compare_functions(
    first: Network,
    second: Network,
    *,
    box: Any = None,
    budget: Budget | None = None,
    progress: Progress = silent,
    tree: bool = False,
) -> EqualityResult:
    """Decide whether two networks have the same function, on all of ``R^{n_0}`` or on a box. Exact.

    In this order: identical parameters; a permutation and positive scalings that map one to the other; values at a few
    points; the affine maps on all cells of the common refinement, until two differ.

    Parameters
    ----------
    first, second
        Networks with the same numbers of inputs and of outputs; architectures and output activations may differ.
    box
        ``(lo, hi)``, rationals per coordinate, to compare on that box only.
    budget, progress
        Limits (of cells of the common refinement, time, memory; one that runs out leaves ``equal=None``), and a
        callback ``progress("cells", found, None)``.
    tree
        Keep the splitting tree of the pair, which a certificate needs where no symmetry proves equality.

    Raises
    ------
    ShapeError
        where numbers of inputs or outputs differ, or the box does not fit.
    InputError
        where the box is empty.

    Notes
    -----
    Source: Grigsby, Lindsey, Meyerhoff, Wu, arXiv 2209.04036, Lemma 2.8 (affine on each cell) for the refinement;
    Grigsby, Lindsey, Rolnick, arXiv 2306.06179, section 1, for the symmetries.

    Examples
    --------
    Different parameters of one function that no permutation and scaling relates: ``relu(x - t) - relu(-x + t) + t``.

    >>> def line(t):
    ...     return Network([([[1], [-1]], [-t, t]), ([[1, -1]], [t])])
    >>> compare_functions(line(2), line(5))
    EqualityResult(equal, by common refinement)
    >>> compare_functions(line(2), Network([([[1], [-1]], [-2, 3]), ([[1, -1]], [2])]))
    EqualityResult(different, by sample point: Witness((0): (0) and (-1)))
    """
    _check_comparable(first, second)
    limits = parse_box(box, first.input_dimension)
    if first == second:
        identity = Symmetry.identity(first.architecture)
        return EqualityResult(first, second, True, "identical parameters", symmetry=identity, box=limits)
    allowed = Budget() if budget is None else budget
    symmetry = None
    with suppress(BudgetExceeded):  # not found in time is not there: the cells decide
        symmetry = equivalence(first, second, budget=budget, max_steps=_STEPS)
    if symmetry is not None:
        return EqualityResult(first, second, True, "symmetry", symmetry=symmetry, box=limits)
    compared, root = 0, TreeNode() if tree else None
    try:
        for point in _samples(first.input_dimension, limits):
            allowed.check()
            found = _witness_at(first, second, point)
            if found is not None:
                return EqualityResult(first, second, False, "sample point", witness=found, box=limits)
        for _, point, numerators, _ in _differences(first, second, limits, allowed, progress, root):
            compared += 1
            if any(numerators.entries()):
                found = _shortened(first, second, _separating(first, second, point, numerators, limits), limits)
                return EqualityResult(
                    first, second, False, "common refinement", witness=found, cells=compared, box=limits
                )
    except BudgetExceeded as error:
        return EqualityResult(first, second, None, None, cells=compared, box=limits, limit=str(error))
    return EqualityResult(first, second, True, "common refinement", cells=compared, box=limits, tree=root)


def _check_comparable(first: Network, second: Network) -> None:
    for name, what in (("input_dimension", "inputs"), ("output_dimension", "outputs")):
        sizes = getattr(first, name), getattr(second, name)
        if sizes[0] != sizes[1]:
            raise ShapeError(
                f"functions are compared between the same spaces: the networks have {sizes[0]} and {sizes[1]} {what} "
                f"(architectures {first.architecture} and {second.architecture})"
            )


def _differences(
    first: Network, second: Network, box: Any, budget: Budget | None, progress: Progress, root: TreeNode | None
) -> Iterator[tuple[tuple[int, ...], Vector, fmpz_mat, Any]]:
    """Labels of both networks, a point inside, and the difference of the affine maps as integers and a denominator."""
    maps = CellMaps(first), CellMaps(second)
    cut = sum(first.relu_widths)
    for labels, point in iterate_refinement([first, second], box=box, budget=budget, progress=progress, root=root):
        one, other = maps[0](labels[:cut]), maps[1](labels[cut:])
        yield labels, point, one[0] * other[1] - other[0] * one[1], one[1] * other[1]


# --------------------------------------------------------------------------- points that tell them apart


def _samples(dimension: int, box: Box | None) -> Iterator[Sequence[Any]]:
    """Points with short coordinates; in a box, points of its interior."""
    draw = random.Random(0)
    if box is None:
        yield [0] * dimension
        for sign, j in itertools.product((1, -1), range(min(dimension, 4))):
            yield [sign * (j == k) for k in range(dimension)]
        for turn in range(_SAMPLES):
            yield [draw.randint(-1 - turn, 1 + turn) for _ in range(dimension)]
        return
    middle = [_shortest(low, high) for low, high in zip(*box, strict=True)]
    yield middle
    for _ in range(_SAMPLES):
        yield [low + (high - low) * Fraction(draw.randint(1, 15), 16) for low, high in zip(*box, strict=True)]


def _shortest(low: Fraction, high: Fraction) -> Fraction:
    """Zero if it lies strictly between, else a dyadic rational with as few bits as that allows."""
    bits = 0
    while True:
        units = Fraction(1 << bits) if bits >= 0 else Fraction(1, 1 << -bits)
        middle = Fraction(round((low + high) / 2 * units)) / units
        if low < 0 < high:
            return Fraction(0)
        if low < middle < high:
            return middle
        bits = 2 * bits + 1


def _witness_at(first: Network, second: Network, point: Sequence[Any]) -> Witness | None:
    values = first.evaluate(point), second.evaluate(point)
    return None if values[0] == values[1] else Witness(tuple(map(Fraction, point)), *values)


def _separating(first: Network, second: Network, point: Vector, difference: fmpz_mat, box: Box | None) -> Witness:
    """A point near one inside a cell where the affine maps differ: the point itself, or a short step along an axis that
    the difference sees.
    """
    found = _witness_at(first, second, point)
    if found is not None:
        return found
    rows = difference.tolist()  # zero at the point and not everywhere, so some coefficient is not zero
    axis = next(j for j in range(len(point)) for row in rows if row[j] != 0)
    bits = 0
    while True:  # a step that stays in the cell tells them apart, and the cell is open
        moved = (*point[:axis], point[axis] + Fraction(1, 1 << bits), *point[axis + 1 :])
        found = _witness_at(first, second, moved)
        if found is not None and _inside(moved, box):
            return found
        bits += 1 + bits // 4


def _shortened(first: Network, second: Network, witness: Witness, box: Box | None) -> Witness:
    """The same witness with its coordinates rounded to as few bits as still tell the functions apart."""
    longest = max(x.denominator.bit_length() for x in witness.point)
    bits = 0
    while bits < longest:
        rounded = tuple(Fraction(round(x * (1 << bits)), 1 << bits) for x in witness.point)
        if _inside(rounded, box):
            found = _witness_at(first, second, rounded)
            if found is not None:
                return found
        bits += 1 + bits // 4
    return witness


def _inside(point: Vector, box: Box | None) -> bool:
    return box is None or all(low < x < high for low, x, high in zip(box[0], point, box[1], strict=True))


def _text(values: Vector) -> str:
    return f"({', '.join(map(_brief, values))})"


def _brief(value: Fraction) -> str:
    text = rationals.format_rational(value)
    return text if len(text) <= 24 else f"{text[:10]}...{text[-10:]}"
