"""Points files: JSON of version 1 (``schemas/points-v1.json``), ``.csv`` and ``.npy``."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

from flint import fmpq

from exactfd.errors import InputError, ShapeError
from exactfd.io.documents import Numbers, check_header, decode, parse
from exactfd.io.files import MAX_NUMBERS
from exactfd.io.numpy_arrays import read_array
from exactfd.rationals import matrix_rows

FORMAT = "exactfd-points"
VERSION = 1

Points = list[list[fmpq]]

_HEADING = re.compile(r"\s*[A-Za-z_][\w .\[\]-]*", re.ASCII)
_NUMBER_WORDS = {"nan", "inf", "infinity"}


def read_json(data: bytes) -> Points:
    """Points of a JSON file; errors name the point and the coordinate."""
    document = check_header(parse(data), FORMAT, VERSION, keys=["points"])
    return Numbers().matrix(document["points"], "points")


def read_csv(data: bytes) -> Points:
    r"""Points of a comma-separated file, one a line; a decimal is exactly the decimal that it spells.

    A first line of names (``x1,x2``), empty lines and lines that begin with ``#`` are read past. Errors name line and
    column, both counted from 1.

    >>> read_csv(b"x,y\n0.1,-7/16\n")
    [[1/10, -7/16]]
    """
    text = decode(data)
    if text.count(",") + text.count("\n") > MAX_NUMBERS:
        raise InputError(f"expected at most {MAX_NUMBERS} numbers in one file, found more")
    numbers, points, first = Numbers(), [], 0
    for line, fields in _rows(text):
        points.append([numbers.number(f, f"line {line}, column {i}") for i, f in enumerate(fields, start=1)])
        first = first or line
        if len(fields) != len(points[0]):
            raise ShapeError(f"line {line}: expected {len(points[0])} numbers as in line {first}, found {len(fields)}")
    if not points:
        raise ShapeError("expected at least one point, found none")
    return points


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of every row that holds data."""
    reader = csv.reader(text.splitlines(), strict=True)
    begun = False
    try:
        for fields in reader:
            if not any(field.strip() for field in fields) or fields[0].lstrip().startswith("#"):
                continue
            heading = all(_HEADING.fullmatch(f) and f.strip().lower() not in _NUMBER_WORDS for f in fields)
            if begun or not heading:
                yield reader.line_num, fields
            begun = True
    except csv.Error as error:
        raise InputError(f"line {reader.line_num}: expected comma-separated numbers, found: {error}") from None


def read_npy(data: bytes, *, dimension: int | None = None) -> Points:
    """Points of a ``.npy`` file: a ``k x n_0`` array of reals or integers, each taken exactly.

    Where points are known to have one coordinate (``dimension=1``), a list of ``k`` numbers is ``k`` points too.
    """
    array = read_array(data, "points")
    if array.ndim == 1 and dimension == 1:
        array = array.reshape(-1, 1)
    if array.ndim != 2 or 0 in array.shape:
        hint = "; reshape it: (1, -1) for one point, (-1, 1) for points on a line" if array.ndim == 1 else ""
        raise ShapeError(
            f"points: expected a 2-dimensional array (points x coordinates), found shape {array.shape}{hint}"
        )
    return matrix_rows(array, what="points")
