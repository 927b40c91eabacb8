"""Pattern varieties and output varieties as images of polynomial maps over Q.

``M_A = D_d W_d D_{d-1} W_{d-1} ... D_1 W_1`` with ``D_l = diag(A_l)`` (``D_d`` the identity unless the output has a
ReLU) is the matrix of the network on the inputs with pattern ``A``. With biases everything is homogenised: each
``W_l`` becomes ``[W_l | b_l]`` over a row ``(0, ..., 0, 1)``, so that ``M_A`` is ``n_d x (n_0 + 1)`` and ``F(x) = M_A
(x, 1)``.

- *Pattern variety* of blocks ``A^1, ..., A^k``: Zariski closure of ``{(M_{A^1}, ..., M_{A^k})}``, theta over all
  parameters. Coordinates: block by block, each matrix row by row.
- *Output variety* of data ``X = [x_1 ... x_m]`` whose point ``x_j`` is given the pattern ``A(j)``: Zariski closure of
  ``{[M_{A(1)} x_1 | ... | M_{A(m)} x_m]}``, theta over all parameters. Coordinates: the ``n_d x m`` matrix row by row.

Both are closures of images of an affine space under a polynomial map: irreducible. Where the blocks are realised by
some theta, with pre-activations of strict signs, the closure over the theta that realise them is the same, since these
theta then form a nonempty open set. Whether they are realised is a question of its own: see
``exactfd.varieties.realisation``.

Source: Alexandr, Montufar, *Constraining the outputs of ReLU neural networks*, arXiv 2508.03867.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from flint import fmpq, fmpq_mat

from exactfd import rationals
from exactfd.errors import BudgetExceeded, InputError, ShapeError
from exactfd.jacobians import (
    smooth_labels,
)
from exactfd.network import Network
from exactfd.varieties.blocks import BlockParametrisation
from exactfd.varieties.patterns import (
    Architecture,
    distinct_patterns,
    parse_pattern,
    pattern_of,
    pattern_text,
)

if TYPE_CHECKING:
    pass

_MOST_ENTRIES = 10_000_000
_SEED_SIZE = 100  # entries of random data lie between minus this and this


def _check_size(entries: int, what: str = "an ambient space of") -> None:
    """Raise ``BudgetExceeded`` for what cannot be listed."""
    if entries > _MOST_ENTRIES:
        raise BudgetExceeded(f"variety: {what} {entries} entries is too large, at most {_MOST_ENTRIES} are listed")


def _name(letter: str, i: int, j: int, largest: int) -> str:
    return f"{letter}_{i}{'' if largest < 10 else '_'}{j}"


class PatternVariety(BlockParametrisation):
    """The pattern variety of blocks: all their matrices at once, in terms of the parameters.

    Parameters
    ----------
    architecture
        :class:`Architecture`, or sizes ``(n_0, ..., n_d)`` without biases.
    blocks
        Patterns: text such as ``"110"`` or ``"111/11/111"``, or sequences of binary strings. All distinct.

    Notes
    -----
    Coordinate ``m2_13`` is row 1, column 3 of the matrix of block 2; with biases the last column is the constant term.
    Raises ``InputError`` or ``ShapeError`` naming the block that does not fit. Source: arXiv 2508.03867.

    Examples
    --------
    >>> variety = PatternVariety((2, 2, 1), ["10", "01"])
    >>> variety.coordinates
    ('m1_11', 'm1_12', 'm2_11', 'm2_12')
    >>> variety.expressions()[0]
    W1_11*W2_11
    """

    kind = "pattern"

    def __init__(self, architecture: Architecture | Sequence[int], blocks: Iterable[Any]) -> None:
        architecture = _architecture(architecture)
        patterns = distinct_patterns(blocks, architecture.relu_widths)
        n, columns = architecture.sizes[0], architecture.columns
        _check_size(len(patterns) * architecture.sizes[-1] * columns)
        _check_size((n + 1) * columns, "an identity matrix of")
        identity = fmpq_mat(n + 1, columns, [fmpq(int(i == j)) for i in range(n + 1) for j in range(columns)])
        count = len(patterns) * architecture.sizes[-1] * columns
        super().__init__(architecture, patterns, [identity] * len(patterns), range(count))

    def restricted(self, blocks: Sequence[int]) -> PatternVariety:
        """That of some of the blocks, by number from 0: the image under a coordinate projection."""
        return PatternVariety(self.architecture, [self.patterns[b] for b in blocks])

    @cached_property
    def _names(self) -> list[tuple[str, str]]:
        n, columns = self.architecture.sizes[-1], self.architecture.columns
        return [
            (_name(f"m{b}", i, j, max(n, columns)), f"M^{{({b})}}_{{{i},{j}}}")
            for b in range(1, len(self.patterns) + 1)
            for i in range(1, n + 1)
            for j in range(1, columns + 1)
        ]

    def __repr__(self) -> str:
        blocks = ", ".join(map(pattern_text, self.patterns))
        return f"PatternVariety({self.architecture}, blocks {blocks})"

    def _repr_html_(self) -> str:
        blocks = ", ".join(f"<code>{pattern_text(pattern)}</code>" for pattern in self.patterns)
        return f"<b>Pattern variety</b> of {self.architecture}; blocks {blocks}"


class OutputVariety(BlockParametrisation):
    """The output variety of data with given patterns: the outputs at all points, in terms of the parameters.

    Parameters
    ----------
    architecture
        :class:`Architecture`, or sizes ``(n_0, ..., n_d)`` without biases.
    points
        ``m`` rational points of ``R^{n_0}``, one a row, each exactly.
    patterns
        The pattern of each point; points with equal patterns form one block. One pattern alone is that of all points.

    Notes
    -----
    Coordinate ``y_13`` is output 1 at point 3. Nothing is asked about whether some parameter realises the patterns at
    the points. Raises ``InputError`` or ``ShapeError`` naming the point that does not fit. Source: arXiv 2508.03867.

    Examples
    --------
    >>> variety = OutputVariety((1, 2, 1), [[1], [-2]], ["10", "01"])
    >>> variety.expressions()
    [W1_11*W2_11, -2*W1_21*W2_12]
    """

    kind = "output"

    def __init__(self, architecture: Architecture | Sequence[int], points: Any, patterns: Any) -> None:
        architecture = _architecture(architecture)
        widths = architecture.relu_widths
        rows = rationals.matrix_rows(points, what="points")
        if not rows:
            raise InputError("points: expected at least one, found none")
        n = architecture.sizes[0]
        for index, row in enumerate(rows):
            if len(row) != n:
                raise ShapeError(f"points[{index}]: the architecture has {n} inputs, found {len(row)} coordinates")
        if isinstance(patterns, str):
            patterns = [patterns] * len(rows)
        elif not isinstance(patterns, Iterable):
            raise InputError(f"patterns: expected one pattern for each point, or one for all, found {patterns!r}")
        given = [parse_pattern(p, widths, what=f"pattern of point {i}") for i, p in enumerate(patterns, start=1)]
        if len(given) != len(rows):
            raise ShapeError(f"patterns: expected one for each of the {len(rows)} points, found {len(given)}")
        blocks = distinct_patterns(dict.fromkeys(given), widths)
        members = [[j for j, pattern in enumerate(given) if pattern == block] for block in blocks]
        self.points = rows
        place, start, outputs = {}, 0, architecture.sizes[-1]
        _check_size(outputs * len(rows))
        for block in members:
            for o in range(outputs):
                for c, j in enumerate(block):
                    place[o, j] = start + o * len(block) + c
            start += outputs * len(block)
        order = [place[o, j] for o in range(outputs) for j in range(len(rows))]
        inputs = [self._columns([rows[j] for j in block], architecture.biases) for block in members]
        super().__init__(architecture, blocks, inputs, order)
        self.pattern_of_point = tuple(given)

    @staticmethod
    def _columns(points: list[list[fmpq]], biases: bool) -> fmpq_mat:
        last = fmpq(int(biases))
        return fmpq_mat([[*point, last] for point in points]).transpose()

    @classmethod
    def of_network(cls, network: Network, points: Any, *, biases: bool | None = None) -> OutputVariety:
        """That of points with the patterns that they have in a network; with biases unless ``biases=False``, which
        needs a network without any. Raises ``NonSmoothPointError`` for a point that is not parametrically smooth.
        """
        architecture = Architecture.of(network, biases=biases)
        rows = rationals.matrix_rows(points, what="points")
        for index, row in enumerate(rows):
            if len(row) != network.input_dimension:
                raise ShapeError(
                    f"points[{index}]: the network has {network.input_dimension} inputs, found {len(row)} coordinates"
                )
        labels = smooth_labels(network, rows).tolist()
        return cls(architecture, rows, [pattern_of(row, network.relu_widths) for row in labels])

    @classmethod
    def generic(
        cls,
        architecture: Architecture | Sequence[int],
        blocks: Iterable[Any],
        counts: int | Sequence[int],
        *,
        seed: int = 0,
    ) -> OutputVariety:
        """Random data: ``counts`` points for each block (one number for all), integers between -100 and 100 that
        depend on the seed alone.

        A general choice of the data maximises the dimension; this is one choice, and what is proved is proved for it.
        """
        architecture = _architecture(architecture)
        patterns = distinct_patterns(blocks, architecture.relu_widths)
        each = [counts] * len(patterns) if isinstance(counts, int) else list(counts)
        if len(each) != len(patterns) or not all(isinstance(c, int) and c >= 1 for c in each):
            raise InputError(
                f"counts: expected a positive number of points for each of {len(patterns)} blocks, found {counts}"
            )
        rng = np.random.default_rng(rationals.checked_seed(seed))
        points = rng.integers(-_SEED_SIZE, _SEED_SIZE + 1, size=(sum(each), architecture.sizes[0])).tolist()
        return cls(architecture, points, [p for p, count in zip(patterns, each, strict=True) for _ in range(count)])

    def restricted(self, blocks: Sequence[int]) -> OutputVariety:
        """That of the points in some of the blocks, by number from 0: the image under a coordinate projection."""
        kept = [j for j, pattern in enumerate(self.pattern_of_point) if self.patterns.index(pattern) in set(blocks)]
        return OutputVariety(
            self.architecture, [self.points[j] for j in kept], [self.pattern_of_point[j] for j in kept]
        )

    @cached_property
    def _names(self) -> list[tuple[str, str]]:
        n, m = self.architecture.sizes[-1], len(self.points)
        return [(_name("y", i, j, max(n, m)), f"Y_{{{i},{j}}}") for i in range(1, n + 1) for j in range(1, m + 1)]

    def to_dict(self) -> dict[str, Any]:
        """What the variety is: sizes, blocks, coordinates, points and their patterns."""
        return {
            **super().to_dict(),
            "points": [[rationals.format_rational(entry) for entry in row] for row in self.points],
            "patterns": [pattern_text(pattern) for pattern in self.pattern_of_point],
        }

    def __repr__(self) -> str:
        blocks = ", ".join(map(pattern_text, self.patterns))
        return f"OutputVariety({self.architecture}, {len(self.points)} points, blocks {blocks})"

    def _repr_html_(self) -> str:
        blocks = ", ".join(f"<code>{pattern_text(pattern)}</code>" for pattern in self.patterns)
        return f"<b>Output variety</b> of {self.architecture}; {len(self.points)} points, blocks {blocks}"


def _architecture(given: Architecture | Sequence[int]) -> Architecture:
    return given if isinstance(given, Architecture) else Architecture(tuple(given))
