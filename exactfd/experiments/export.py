"""A store as one table: CSV, or Parquet and pandas where those are installed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from exactfd.errors import InputError, MissingExtraError
from exactfd.experiments.store import COLUMNS, Store
from exactfd.io.files import StrPath, open_atomically

_BASE = COLUMNS[:-1]  # all but the document, whose keys are columns of their own


def columns(store: Store) -> list[str]:
    """The columns of a store, then every key of the documents by name."""
    return [*_BASE, *sorted({key for row in store.rows() for key in row.document})]


def records(store: Store) -> Iterator[dict[str, Any]]:
    """A record for each row; lists and tables are JSON text, what a measure does not have is not there."""
    for row in store.rows():
        record = {name: getattr(row, name) for name in _BASE}
        for key, value in row.document.items():
            record[key] = json.dumps(value) if isinstance(value, (list, dict)) else value
        yield record


def export_table(store: Store, path: StrPath) -> int:
    """Write ``.csv`` or ``.parquet``, by the name of the file; the number of rows.

    Raises ``InputError`` on another name, ``MissingExtraError`` where pandas or pyarrow is needed and not there.
    """
    name = str(path)
    if name.endswith(".parquet"):
        table = to_pandas(store)
        try:
            data = table.to_parquet(index=False)
        except ImportError:
            raise MissingExtraError("pyarrow", "tables", f"{name}: writing Parquet") from None
        with open_atomically(path) as file:
            file.write(data)
        return len(table)
    if not name.endswith(".csv"):
        raise InputError(f"{name}: expected the name of a file that ends in .csv or .parquet")
    count = 0
    with open_atomically(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.DictWriter(text, columns(store), restval="", lineterminator="\n")
        writer.writeheader()
        for record in records(store):
            writer.writerow(record)
            count += 1
        text.detach()
    return count


def to_pandas(store: Store) -> Any:
    """A ``pandas.DataFrame``. Raises ``MissingExtraError``."""
    try:
        import pandas
    except ImportError:
        raise MissingExtraError("pandas", "tables", "a table of a campaign") from None
    table = pandas.DataFrame.from_records(list(records(store)), columns=columns(store))
    return table.convert_dtypes()  # integers stay integers where some are missing
