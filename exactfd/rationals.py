"""The only doors between text, floats, ``Fraction``, FLINT, NumPy and SymPy.

Everything that comes in is taken exactly: a float is the dyadic rational that it stores, a decimal string is the
decimal that it spells. Everything that goes out as a float is rounded once, correctly, and says so in its name.
"""

from __future__ import annotations

import copyreg
import math
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from numbers import Integral, Rational
from typing import TYPE_CHECKING, Any

import numpy as np
from flint import fmpq, fmpq_mat, fmpz, fmpz_mat

from exactfd.errors import InputError, NonFiniteError, ShapeError

if TYPE_CHECKING:
    import sympy

#: Longest numeral that is read; enough for any honest rational, too short for a bomb.
MAX_DIGITS = 100_000
#: Largest decimal exponent that is read: 10^4 is far beyond binary64 and still cheap to store.
MAX_EXPONENT = 10_000

_NUMERAL = re.compile(r"([+-]?)(?:(\d+)/(\d+)|(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?)", re.ASCII)


_SHORT = 1 << 1000  # Python writes such integers itself, and faster


def checked_seed(seed: Any) -> int:
    """The seed of a generator of random numbers, an integer from 0 on. Raises ``InputError`` on anything else."""
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise InputError(f"seed: expected an integer from 0 on, found {seed!r}")
    return int(seed)


def parse_rational(text: str) -> fmpq:
    """Read ``"3"``, ``"-7/16"``, ``"0.125"`` or ``"1e-300"`` exactly.

    Raises ``InputError`` on anything else, on a zero denominator and on numerals longer than ``MAX_DIGITS``.

    >>> parse_rational("-7/16") + parse_rational("0.125")
    -5/16
    """
    stripped = text.strip()
    if len(stripped) > MAX_DIGITS:
        raise InputError(f"a number has at most {MAX_DIGITS} characters, found {len(stripped)}")
    match = _NUMERAL.fullmatch(stripped)
    if match is None or not any(match.group(2, 4, 5)):
        if stripped.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
            raise NonFiniteError(f"a rational number is finite, found {_quoted(text)}")
        raise InputError(f'expected a rational number such as "3", "-7/16" or "0.125", found {_quoted(text)}')
    sign, numerator, denominator, whole, decimals, exponent = match.groups()
    if denominator is not None:
        bottom = fmpz(denominator)
        if bottom == 0:
            raise InputError(f"the denominator is zero in {_quoted(text)}")
        value = fmpq(fmpz(numerator), bottom)
    else:
        digits = (whole or "") + (decimals or "")
        shift = -len(decimals or "")
        if exponent is not None:
            if len(exponent) > 8 or abs(int(exponent)) > MAX_EXPONENT:
                raise InputError(f"a decimal exponent is at most {MAX_EXPONENT} in size, found {_quoted(text)}")
            shift += int(exponent)
        value = fmpq(fmpz(digits))
        scale = fmpz(10) ** abs(shift)
        value = value * scale if shift >= 0 else value / scale
    return -value if sign == "-" else value


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _described(value: Any) -> str:
    """Type and text of an unusable value; the text of a huge integer is left out (printing it may itself fail)."""
    if isinstance(value, int) and value.bit_length() > 256:
        return f"an integer of {value.bit_length()} bits"
    return f"{type(value).__name__} {_quoted(repr(value))}"


def to_fmpq(value: Any) -> fmpq:
    """Convert one number exactly: int, float, ``Fraction``, text, FLINT, NumPy scalar, SymPy rational.

    Raises ``NonFiniteError`` on NaN and infinities, ``InputError`` on anything that is not a rational number
    (booleans included: they are never meant as weights).

    >>> to_fmpq(0.1) == fmpq(1, 10)
    False
    >>> to_fmpq("0.1") == fmpq(1, 10)
    True
    """
    if isinstance(value, fmpq):
        return value
    if isinstance(value, fmpz):
        return fmpq(value)
    if isinstance(value, (bool, np.bool_)):
        raise InputError(f"expected a rational number, found the boolean {value}")
    if isinstance(value, Integral):
        return fmpq(int(value))
    if isinstance(value, (float, np.floating)):
        if not np.isfinite(value):
            raise NonFiniteError(f"a rational number is finite, found {value}")
        return fmpq(*value.as_integer_ratio())
    if isinstance(value, str):
        return parse_rational(value)
    if isinstance(value, Rational):
        return fmpq(int(value.numerator), int(value.denominator))
    top, bottom = getattr(value, "p", None), getattr(value, "q", None)  # SymPy's Rational, without importing it
    if isinstance(top, int) and isinstance(bottom, int):
        if bottom == 0:
            raise NonFiniteError(f"a rational number is finite, found {value}")
        return fmpq(top, bottom)
    raise InputError(f"expected a rational number, found {_described(value)}")


def to_fraction(value: fmpq) -> Fraction:
    """The same number as a ``fractions.Fraction``."""
    return Fraction(int(value.p), int(value.q))


def format_rational(value: fmpq | Fraction) -> str:
    """Reduced text form, ``"3"`` or ``"-7/16"``; ``parse_rational`` reads it back.

    Of any length: Python's own ``str`` of a fraction refuses more than 4300 digits.
    """
    if isinstance(value, fmpq):
        return str(value)
    top, bottom = value.as_integer_ratio()
    if -_SHORT < top < _SHORT and bottom < _SHORT:
        return str(top) if bottom == 1 else f"{top}/{bottom}"
    return str(fmpq(top, bottom))


def nearest_float(value: fmpq) -> float:
    """The binary64 nearest to ``value`` (correctly rounded); infinite when it is out of range."""
    top, bottom = int(value.p), int(value.q)
    try:
        return top / bottom
    except OverflowError:
        return math.inf if top > 0 else -math.inf


def vector(values: Any, *, what: str = "vector") -> list[fmpq]:
    """Exact list of numbers from any one-dimensional array-like; errors name the index."""
    values = _plain(values)
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ShapeError(f"{what}: expected a list of numbers, found {_described(values)}")
    result = []
    for index, entry in enumerate(values):
        if isinstance(entry, (list, tuple)):
            raise ShapeError(f"{what}[{index}]: expected a number, found a list of {len(entry)}")
        try:
            result.append(to_fmpq(entry))
        except InputError as error:
            raise type(error)(f"{what}[{index}]: {error}") from None
    return result


def matrix_rows(values: Any, *, what: str = "matrix") -> list[list[fmpq]]:
    """Exact rows of a two-dimensional array-like; errors name row and column. Raggedness is refused."""
    if isinstance(values, fmpq_mat):
        return [[values[i, j] for j in range(values.ncols())] for i in range(values.nrows())]
    values = _plain(values)
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ShapeError(f"{what}: expected a list of rows, found {_described(values)}")
    rows: list[list[fmpq]] = []
    for index, row in enumerate(values):
        row = _plain(row)
        if isinstance(row, str) or not isinstance(row, Iterable):
            raise ShapeError(f"{what}[{index}]: expected a row of numbers, found {type(row).__name__}")
        rows.append(vector(row, what=f"{what}[{index}]"))
        if len(rows[-1]) != len(rows[0]):
            raise ShapeError(
                f"{what}: rows have one length, found {len(rows[0])} in row 0 and {len(rows[-1])} in row {index}"
            )
    return rows


def _plain(values: Any) -> Any:
    """Arrays as nested lists; complex and object-of-object arrays are caught later, entry by entry."""
    if isinstance(values, (set, frozenset, dict)):
        raise ShapeError(f"expected an ordered list, found a {type(values).__name__}")
    if hasattr(values, "detach"):  # a PyTorch tensor
        try:
            values = values.detach().cpu()
            if (
                str(getattr(values, "dtype", "")) == "torch.bfloat16"
            ):  # NumPy has no such type; float32 holds it exactly
                values = values.float()
            values = values.numpy()
        except (TypeError, RuntimeError) as error:  # sparse, quantised, without storage (NotImplementedError too)
            raise InputError(f"expected a dense tensor of numbers: {error}") from None
    if isinstance(values, np.ndarray):
        if values.dtype.kind == "f" and values.dtype.itemsize > 8:
            return values  # tolist() would keep longdouble scalars anyway; iterate so that each is taken exactly
        return values.tolist()
    if hasattr(values, "tolist") and not isinstance(values, (str, bytes)):  # FLINT and SymPy matrices
        return values.tolist()
    return values


def round_to(value: fmpq, step: fmpq) -> fmpq:
    """Nearest multiple of ``step`` (ties to even multiples); the only rounding in the package, and on request."""
    ratio = value / step
    twice = ratio * 2 + 1
    floor = fmpz(int(twice.p) // (2 * int(twice.q)))
    if twice.q == 1 and int(twice.p) % 2 == 0 and int(floor) % 2 == 1:  # exactly half way, upper neighbour is odd
        floor -= 1
    return fmpq(floor) * step


def common_denominator(values: Iterable[fmpq]) -> fmpz:
    """Least common multiple of the denominators."""
    result = fmpz(1)
    for value in values:
        result = result.lcm(value.q)
    return result


def primitive(integers: Sequence[fmpz]) -> list[fmpz]:
    """Integers, not all zero, divided by their greatest common divisor."""
    content = fmpz(0)
    for entry in integers:
        content = content.gcd(entry)
    return [entry // content for entry in integers]


def primitive_row(values: Sequence[fmpq]) -> tuple[list[fmpz], fmpq]:
    """Integers without common factor and the positive scale ``s`` with ``integers = s * values``.

    A zero row gives zeros and scale one.
    """
    denominator = common_denominator(values)
    integers = [fmpz((value * denominator).p) for value in values]
    content = fmpz(0)
    for entry in integers:
        content = content.gcd(entry)
    if content == 0:
        return integers, fmpq(1)
    return [entry // content for entry in integers], fmpq(denominator, content)


# --------------------------------------------------------------------------- matrices to other packages


def to_fractions(matrix: fmpq_mat) -> list[list[Fraction]]:
    """Rows of a FLINT matrix as ``fractions.Fraction``, exact.

    >>> to_fractions(fmpq_mat([[1, fmpq(1, 2)]]))
    [[Fraction(1, 1), Fraction(1, 2)]]
    """
    return [[to_fraction(entry) for entry in row] for row in matrix.tolist()]


def to_numpy(matrix: fmpq_mat) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A FLINT matrix as float64, each entry correctly rounded (infinite when out of range). Not exact."""
    return to_floats(matrix)[0]


def to_floats(matrix: fmpq_mat) -> tuple[np.ndarray[Any, np.dtype[np.float64]], bool]:
    """As :func:`to_numpy`; and whether every entry is the float exactly."""
    values, same = [], True
    for entry in matrix.entries():
        top, bottom = int(entry.p), int(entry.q)
        try:
            value = top / bottom  # correctly rounded
            same = same and value.as_integer_ratio() == (top, bottom)  # both are in lowest terms
        except OverflowError:
            value, same = math.inf if top > 0 else -math.inf, False
        values.append(value)
    return np.array(values, dtype=np.float64).reshape(matrix.nrows(), matrix.ncols()), same


def to_sympy(matrix: fmpq_mat) -> sympy.Matrix:
    """A FLINT matrix as a SymPy matrix of rationals, exact."""
    import sympy

    entries = [sympy.Rational(int(entry.p), int(entry.q)) for row in matrix.tolist() for entry in row]
    return sympy.Matrix(matrix.nrows(), matrix.ncols(), entries)


# --------------------------------------------------------------------------- saving


def _integer_matrix(rows: int, columns: int, entries: list[fmpz]) -> fmpz_mat:
    return fmpz_mat(rows, columns, entries)


def _rational_matrix(rows: int, columns: int, entries: list[fmpq]) -> fmpq_mat:
    return fmpq_mat(rows, columns, entries)


# python-flint pickles numbers and no matrices; results that hold them are to be saved and reopened
copyreg.pickle(fmpz_mat, lambda matrix: (_integer_matrix, (matrix.nrows(), matrix.ncols(), matrix.entries())))
copyreg.pickle(fmpq_mat, lambda matrix: (_rational_matrix, (matrix.nrows(), matrix.ncols(), matrix.entries())))
