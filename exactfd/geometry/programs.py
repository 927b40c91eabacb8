"""Exact linear programs: strict and weak affine inequalities over the rationals, decided with evidence.

A question is a list of rows ``a.x + c > 0``, ``a.x + c >= 0`` or ``a.x + c = 0`` with integer entries. The answer is
:class:`Feasible`, a rational point at which every sign has been certified, or :class:`Infeasible`, multipliers of at
most ``n + 1`` rows whose combination is a contradiction (Motzkin's transposition theorem: Schrijver, *Theory of Linear
and Integer Programming*, section 7.8; the bound on the support is Caratheodory's, corollary 7.1i). Both can be
re-checked with integers alone, and neither is ever decided by a float.

The program behind a question is ``max t`` with ``a.x + c >= t w`` on strict rows, ``a.x + c >= 0`` on weak rows and
``t <= 1`` (``w > 0`` a scale). It is solved by the simplex method on its dual, whose bases are ``n + 1`` rows that
meet in a point ``(x, t)``: adding a row keeps a basis dual feasible, so a search that adds one row at a time starts
from where it was. The float method proposes; its point is rounded to few bits and its support is solved exactly; the
exact method (same program, FLINT rationals, Bland's rule when it stalls) answers whatever floats cannot see.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, NamedTuple

import numpy as np
from flint import fmpq, fmpq_mat, fmpz, fmpz_mat

from exactfd.errors import InputError, InternalError, ShapeError

Relation = Literal[">", ">=", "="]
Algorithm = Literal["auto", "exact"]

#: Members of a basis that are not rows: ``t <= 1``, and ``x_k = 0`` for a direction no row has bounded yet.
_CEILING = -1
_FREE = -2


class Row(NamedTuple):
    """The condition ``coefficients . x + constant  relation  0``; entries are Python integers or ``fmpz``."""

    coefficients: tuple[Any, ...]
    constant: Any
    relation: Relation = ">"


@dataclass(frozen=True, slots=True)
class Point:
    """The rational point ``numerators / denominator``, with its coordinates as floats where these are exact."""

    numerators: tuple[int, ...]
    denominator: int
    floats: np.ndarray[Any, Any] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, values: Iterable[Any]) -> Point:
        """The point with the given rational coordinates (``Fraction``, ``fmpq`` or integers).

        >>> Point.of([Fraction(1, 2), 3])
        Point(numerators=(1, 6), denominator=2)
        """
        exact = [Fraction(int(v.p), int(v.q)) if isinstance(v, fmpq) else Fraction(int(v)) if isinstance(v, fmpz)
                 else Fraction(v) for v in values]  # fmt: skip
        denominator = math.lcm(*(value.denominator for value in exact))
        numerators = tuple(value.numerator * (denominator // value.denominator) for value in exact)
        return cls(numerators, denominator, _exact_floats(exact))

    @property
    def fractions(self) -> tuple[Fraction, ...]:
        """The coordinates, reduced."""
        return tuple(Fraction(top, self.denominator) for top in self.numerators)


def _exact_floats(values: list[Fraction]) -> np.ndarray[Any, Any] | None:
    try:
        floats = [float(value) for value in values]
    except OverflowError:
        return None
    return np.array(floats, dtype=float) if all(Fraction(f) == v for f, v in zip(floats, values, strict=True)) else None


@dataclass(frozen=True, slots=True)
class Feasible:
    """A rational solution of ``rows``."""

    rows: tuple[Row, ...]
    solution: Point

    @property
    def point(self) -> tuple[Fraction, ...]:
        """The solution as fractions."""
        return self.solution.fractions

    def check(self) -> bool:
        """Evaluate every row at the point again, with Python integers."""
        return all(_holds(row, self.solution) for row in self.rows)


@dataclass(frozen=True, slots=True)
class Infeasible:
    """Multipliers ``weights`` of the rows at ``indices``: their combination has no ``x`` left and is a contradiction.

    Weights are positive integers on inequalities and of either sign on equalities. The combination reads
    ``0.x + s > 0`` with ``s <= 0`` if it uses a strict row, else ``0.x + s >= 0`` with ``s < 0``.
    """

    indices: tuple[int, ...]
    rows: tuple[Row, ...]
    weights: tuple[int, ...]

    @property
    def multipliers(self) -> dict[int, int]:
        """Weights by position of the row in the question."""
        return dict(zip(self.indices, self.weights, strict=True))

    def check(self) -> bool:
        """Form the combination again, with Python integers."""
        if not self.rows or not len(self.rows) == len(self.weights) == len(self.indices):
            return False
        if any(weight <= 0 for row, weight in zip(self.rows, self.weights, strict=True) if row.relation != "="):
            return False
        pairs = list(zip(self.rows, map(int, self.weights), strict=True))
        for column in range(len(self.rows[0].coefficients)):
            if sum(weight * int(row.coefficients[column]) for row, weight in pairs):
                return False
        total = sum(weight * int(row.constant) for row, weight in pairs)
        return total < 0 or (total == 0 and any(row.relation == ">" for row in self.rows))


def solve(
    rows: Iterable[Row | tuple[Any, ...]], dimension: int, *, algorithm: Algorithm = "auto"
) -> Feasible | Infeasible:
    """Decide one system of affine conditions with integer entries in ``R^dimension``, with evidence.

    Parameters
    ----------
    rows
        :class:`Row` or equal tuples ``(coefficients, constant, relation)``; the relation may be left out for ``">"``.
    dimension
        Number of unknowns.
    algorithm
        ``"auto"`` proposes in float and disposes exactly; ``"exact"`` never looks at a float. Same yes or no.

    Raises
    ------
    ShapeError
        where a row has the wrong number of coefficients.

    Notes
    -----
    Source: Motzkin's transposition theorem, Schrijver, *Theory of Linear and Integer Programming*, corollary 7.1k.

    Examples
    --------
    >>> solve([((3,), -1), ((-3,), 2)], 1).point
    (Fraction(1, 2),)
    >>> solve([((1,), 0), ((-2,), 0)], 1).multipliers
    {0: 2, 1: 1}
    """
    given = tuple(Row(*row) for row in rows)
    program = Program(dimension, algorithm=algorithm)
    origin: list[tuple[int, int]] = []
    for index, row in enumerate(given):
        if row.relation == "=":  # two opposite weak rows; a basis never needs both, so at most n + 1 rows remain
            program.push(Row(row.coefficients, row.constant, ">="))
            program.push(Row(tuple(-a for a in row.coefficients), -row.constant, ">="))
            origin += [(index, 1), (index, -1)]
        else:
            program.push(row)
            origin.append((index, 1))
    answer = program.solve()
    if isinstance(answer, Feasible):
        return Feasible(given, answer.solution)
    total: dict[int, int] = {}
    for position, weight in answer.multipliers.items():
        index, sign = origin[position]
        total[index] = total.get(index, 0) + sign * weight
    kept = sorted(index for index, weight in total.items() if weight)
    return Infeasible(tuple(kept), tuple(given[i] for i in kept), tuple(total[i] for i in kept))


class Program:
    """A growing and shrinking stack of rows that is asked again and again.

    Holds strict and weak rows only (:func:`solve` takes equalities too). After :meth:`solve`, :attr:`basis` is a
    starting point for the next question whose rows begin with the same ones.
    """

    def __init__(self, dimension: int, *, algorithm: Algorithm = "auto") -> None:
        if algorithm not in ("auto", "exact"):
            raise InputError(f'algorithm: expected "auto" or "exact", found {algorithm!r}')
        self.dimension = dimension
        self.algorithm = algorithm
        self.rows: list[Row] = []
        self.basis: tuple[int, ...] = self.fresh_basis()
        self.questions = 0
        self.fallbacks = 0
        self._blind: list[int] = []  # rows that have no float form
        self._gradient = np.zeros((16, dimension + 1))  # a, and minus the scale of t (1 strict, 0 weak)
        self._constant = np.zeros(16)
        self._size = np.zeros((16, dimension + 1))  # |a|, |c|: for error bounds

    def fresh_basis(self) -> tuple[int, ...]:
        """The basis of no rows at all: ``x = 0``, ``t = 1``."""
        return (*(_FREE - k for k in range(self.dimension)), _CEILING)

    def push(self, row: Row, floats: Sequence[float] | None = None) -> None:
        """Add a strict or weak row; ``floats`` may hand in the :func:`scaled_floats` of ``(a, c)``."""
        n, m = self.dimension, len(self.rows)
        if len(row.coefficients) != n:
            raise ShapeError(f"row {m}: expected {n} coefficients, found {len(row.coefficients)}")
        if m == len(self._constant):
            self._gradient = np.concatenate([self._gradient, np.zeros_like(self._gradient)])
            self._constant = np.concatenate([self._constant, np.zeros_like(self._constant)])
            self._size = np.concatenate([self._size, np.zeros_like(self._size)])
        if floats is None:
            floats = scaled_floats((*row.coefficients, row.constant))
        if not all(map(math.isfinite, floats)):
            self._blind.append(m)
        self._gradient[m, :n] = floats[:n]
        self._gradient[m, n] = -1.0 if row.relation == ">" else 0.0
        self._constant[m] = floats[n]
        self._size[m] = floats
        np.abs(self._size[m], out=self._size[m])
        self.rows.append(row)

    def truncate(self, count: int) -> None:
        """Forget all rows but the first ``count``."""
        del self.rows[count:]
        while self._blind and self._blind[-1] >= count:
            self._blind.pop()

    def holds_at(self, point: Point) -> bool:
        """Exact truth of every row at a point: float values with error bounds, integers where these abstain."""
        if point.floats is None:
            return all(_holds(row, point) for row in self.rows)
        m, n = len(self.rows), self.dimension
        with np.errstate(all="ignore"):
            value = self._gradient[:m, :n] @ point.floats + self._constant[:m]
            size = np.abs(point.floats)
            bound = self._size[:m, :n] @ size + self._size[:m, n]
            # entries are within 2^-52, n products and n sums follow; an underflow is off by at most 2^-1074 |x| or so
            bound = bound * ((n + 4) * 2.0**-51) + 1e-300 * (1.0 + size.sum())
            sure = value > bound
            if sure.all():
                return True
            if (value < -bound).any():
                return False
        return all(_holds(self.rows[i], point) for i in np.nonzero(~sure)[0])

    def solve(self, start: tuple[int, ...] | None = None) -> Feasible | Infeasible:
        """Answer for the rows on the stack; ``start`` is the :attr:`basis` after an earlier question."""
        self.questions += 1
        self.basis = self.fresh_basis() if start is None else start
        if self.algorithm == "auto" and not self._blind:
            answer = self._propose(self.basis)
            if answer is not None:
                return answer
        self.fallbacks += 1
        return _exact_answer(self.rows, range(len(self.rows)), self.dimension)

    # ------------------------------------------------------------------ propose in float, dispose exactly

    def _propose(self, start: tuple[int, ...]) -> Feasible | Infeasible | None:
        with np.errstate(all="ignore"):
            end = self._float_simplex(start)
        if end is None:
            return None
        optimal, y, weights, basis = end
        if len(basis) == self.dimension + 1:  # else a ray, which is no basis
            self.basis = tuple(basis)
        depth = float(y[-1])
        if optimal and depth > 1e-9:
            return self._rounded(y[:-1], depth) or self._farkas(weights, basis)
        return self._farkas(weights, basis) or (self._rounded(y[:-1], depth) if optimal and depth > 0 else None)

    def _float_simplex(self, start: tuple[int, ...]) -> tuple[bool, Any, Any, list[int]] | None:
        """Whether the end is optimal (else only infeasible), ``(x, t)``, the multipliers and the basis they are of."""
        n, m = self.dimension, len(self.rows)
        gradient, constant = self._gradient[:m], self._constant[:m]
        basis = list(start)
        matrix = np.zeros((n + 1, n + 1))
        offset = np.zeros(n + 1)
        for place, member in enumerate(basis):
            if member >= 0:
                matrix[place], offset[place] = gradient[member], constant[member]
            elif member == _CEILING:
                matrix[place, n], offset[place] = -1.0, 1.0
            else:
                matrix[place, _FREE - member] = 1.0
        try:
            inverse = np.linalg.inv(matrix)
        except np.linalg.LinAlgError:
            return None
        free = np.array([member <= _FREE for member in basis])
        any_free = bool(free.any())
        for _ in range(60 + 8 * n + m // 4):
            y = -(inverse @ offset)
            if not np.isfinite(y).all():
                return None
            weights = np.maximum(-inverse[n], 0.0)
            if y[n] < -1e-9:  # t has an upper bound below zero already
                return False, y, weights, basis
            if m == 0:
                return True, y, weights, basis
            slack = gradient @ y + constant
            entering = int(slack.argmin())
            if slack[entering] >= -1e-12 * (1.0 + float(np.abs(y).max())):
                return True, y, weights, basis
            column = gradient[entering] @ inverse
            leaving = -1
            if any_free:
                leaving = int(np.where(free, np.abs(column), 0.0).argmax())
                if not free[leaving] or abs(column[leaving]) < 1e-10:
                    leaving = -1
            if leaving < 0:
                ratio = np.where((column > 1e-10) & ~free, weights / column, np.inf)
                least = ratio.min()
                if not least < np.inf:  # weak rows alone contradict each other: a ray of multipliers
                    return False, -np.ones(n + 1), np.append(np.maximum(-column, 0.0), 1.0), [*basis, entering]
                leaving = int(np.where(ratio <= least + 1e-13, column, 0.0).argmax())
            pivot = column[leaving]
            column[leaving] -= 1.0
            inverse -= np.outer(inverse[:, leaving] / pivot, column)
            offset[leaving] = constant[entering]
            basis[leaving] = entering
            if free[leaving]:
                free[leaving] = False
                any_free = bool(free.any())
        return None

    def _rounded(self, x: Any, depth: float) -> Feasible | None:
        """The proposed point with as few bits as still certify (``depth`` says how many suffice)."""
        needed = max(0, math.ceil(math.log2(max(1, self.dimension)) - math.log2(depth)))
        for bits in (needed - 5, needed - 3, needed - 1, needed + 3):
            if bits < 0 or bits > 1000:
                continue
            with np.errstate(all="ignore"):
                scaled = np.rint(np.ldexp(x, bits))
                floats = np.ldexp(scaled, -bits)
            if not np.isfinite(scaled).all():
                return None
            point = Point(tuple(map(int, scaled.tolist())), 1 << bits, floats)
            if self.holds_at(point):
                return Feasible(tuple(self.rows), point)
        point = Point.of(map(Fraction, x.tolist()))
        return Feasible(tuple(self.rows), point) if self.holds_at(point) else None

    def _farkas(self, weights: Any, basis: list[int]) -> Infeasible | None:
        """Exact multipliers on the rows that the float method says carry the contradiction."""
        threshold = 1e-12 * float(weights.max())
        support = sorted({b for b, w in zip(basis, weights.tolist(), strict=True) if b >= 0 and w > threshold})
        if not support:
            return None
        rows = [self.rows[i] for i in support]
        kernel, nullity = fmpz_mat([row.coefficients for row in rows]).transpose().nullspace()
        if nullity == 1:
            exact = [kernel[i, 0] for i in range(len(rows))]
            evidence = contradiction(support, rows, exact) or contradiction(support, rows, [-e for e in exact])
            if evidence is not None:
                return evidence
        answer = _exact_answer(rows, support, self.dimension)  # few rows; a ray or a tie can be more than a simplex
        return answer if isinstance(answer, Infeasible) else None


def contradiction(indices: Sequence[int], rows: Sequence[Row], weights: Sequence[Any]) -> Infeasible | None:
    """Evidence from integer multipliers that annihilate the gradients of ``rows``, if signs and constants fit: positive
    on inequalities, and a combination that cannot hold. ``indices`` name the rows.
    """
    if any(weight < 0 for weight in weights):
        return None
    total = sum((weight * row.constant for row, weight in zip(rows, weights, strict=True)), fmpz(0))
    used = [k for k, weight in enumerate(weights) if weight]
    if total > 0 or (total == 0 and not any(rows[k].relation == ">" for k in used)):
        return None
    content = math.gcd(*(int(weights[k]) for k in used))
    return Infeasible(
        tuple(indices[k] for k in used),
        tuple(rows[k] for k in used),
        tuple(int(weights[k]) // content for k in used),
    )


def scaled_floats(row: Sequence[Any]) -> list[float]:
    """Integers divided by one power of two, such that the gradient (all but the last) has size about one.

    Relative error below ``2**-52`` in each entry (absolute ``2**-1074`` when it underflows); infinite on overflow.

    >>> scaled_floats((1 << 2000, 3, 1 << 1999))
    [0.5, 0.0, 0.25]
    """
    entries = [int(entry) for entry in row]
    top = max((abs(entry) for entry in entries[:-1]), default=0) or abs(entries[-1])
    shift = top.bit_length()
    scale = 1 << shift
    try:
        return [entry / scale for entry in entries]
    except OverflowError:
        return [math.inf] * len(entries)


def _holds(row: Row, point: Point) -> bool:
    value = int(row.constant) * point.denominator
    for a, x in zip(row.coefficients, point.numerators, strict=True):
        value += int(a) * x
    return value > 0 if row.relation == ">" else value >= 0 if row.relation == ">=" else value == 0


# ---------------------------------------------------------------------- the slow twin: no floats


def _exact_answer(rows: Sequence[Row], indices: Sequence[int], dimension: int) -> Feasible | Infeasible:
    """The simplex method on the dual over the rationals; ends on every input (Bland's rule while it stalls)."""
    n, m = dimension, len(rows)
    table: list[list[Any]] = []
    shifts: list[int] = []
    for row in rows:  # columns: a, minus the scale of t, c
        size = max((int(a).bit_length() for a in row.coefficients), default=0) or int(row.constant).bit_length()
        shifts.append(size)
        table.append([*row.coefficients, -(1 << size) if row.relation == ">" else 0, row.constant])
    table.append([*([0] * n), -1, 1])  # t <= 1
    table += [[int(k == j) for j in range(n)] + [0, 0] for k in range(n)]  # x_k = 0 until a row takes its place
    everything = fmpz_mat(table[: m + 1])
    basis = [*range(m + 1, m + 1 + n), m]
    stalled = False
    while True:
        matrix = fmpz_mat([table[b][: n + 1] for b in basis])
        y: Any = matrix.solve(fmpz_mat([[-table[b][n + 1]] for b in basis]))
        tops, bottom = y.numer_denom()
        slack = (everything * fmpz_mat([*tops.tolist(), [bottom]])).entries()
        if bottom < 0:
            raise InternalError(f"a common denominator is positive, found {bottom}")
        violated = [j for j in range(m) if slack[j] < 0]
        done = tops[n, 0] <= 0
        if not violated and not done:
            return Feasible(tuple(rows), _simple_point(rows, [y[k, 0] for k in range(n)]))
        entering = -1
        right = [[0] for _ in range(n)] + [[-1]]
        if not done:
            # most violated for speed; the first one while nothing improves, which is what makes it end
            entering = violated[0] if stalled else max(violated, key=lambda j: int(slack[j]).bit_length() - shifts[j])
            right = [[*value, table[entering][k]] for k, value in enumerate(right)]
        solution = matrix.transpose().solve(fmpz_mat(right))
        weights = [solution[k, 0] for k in range(n + 1)]
        if done:
            return _exact_evidence(rows, indices, basis, weights)
        column = [solution[k, 1] for k in range(n + 1)]
        step = fmpq(0)
        leaving = next((k for k in range(n + 1) if basis[k] > m and column[k] != 0), None)
        if leaving is None:
            ratios = [(weights[k] / column[k], basis[k], k) for k in range(n + 1) if column[k] > 0]
            if not ratios:
                return _exact_evidence(rows, indices, [*basis, entering], [*(-value for value in column), fmpq(1)])
            step, _, leaving = min(ratios)
        stalled = step == 0
        basis[leaving] = entering


def _exact_evidence(
    rows: Sequence[Row], indices: Sequence[int], basis: Sequence[int], weights: Sequence[fmpq]
) -> Infeasible:
    """Multipliers by row; members of the basis that are no rows drop out (``t <= 1`` only makes it stricter)."""
    used = sorted((b, w) for b, w in zip(basis, weights, strict=True) if b < len(rows) and w != 0)
    integers = fmpq_mat(1, len(used), [w for _, w in used]).numer_denom()[0].entries() if used else []
    places = [b for b, _ in used]
    evidence = contradiction([indices[b] for b in places], [rows[b] for b in places], integers)
    if evidence is None:
        raise InternalError(f"the exact simplex method ended without a contradiction on {len(rows)} rows")
    return evidence


def _simple_point(rows: Sequence[Row], x: Sequence[fmpq]) -> Point:
    """A dyadic point near ``x`` with few bits that satisfies all rows, or ``x`` itself where rounding breaks one."""
    exact = Point.of(x)
    bits = 1
    while bits < exact.denominator.bit_length():
        half = exact.denominator
        tops = tuple(((top << (bits + 1)) + half) // (2 * half) for top in exact.numerators)
        point = Point.of(Fraction(top, 1 << bits) for top in tops)
        if all(_holds(row, point) for row in rows):
            return point
        bits *= 2
    return exact
