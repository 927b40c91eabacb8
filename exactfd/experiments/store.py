"""One SQLite file that holds a campaign: a row for every measure of every network, each once.

A commit is whole or absent, whatever is killed when. There is one writer, which a lock file beside the store keeps;
readers may look at any time. A power failure (not a killed process) may undo the last commits: they are done again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple

from exactfd.errors import InputError
from exactfd.io.files import StrPath

#: ``PRAGMA application_id`` of a store ("exfd"), and the version of its tables.
APPLICATION, VERSION = 0x65786664, 1
COLUMNS = ("architecture", "law", "number", "measure", "digest", "seed", "versions", "status", "seconds", "value")
_SCHEMA = """
CREATE TABLE campaign (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE results (
    architecture TEXT NOT NULL, law TEXT NOT NULL, number INTEGER NOT NULL, measure TEXT NOT NULL,
    digest TEXT NOT NULL, seed INTEGER NOT NULL, versions TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('proved', 'bounds')),
    seconds REAL NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (architecture, law, number, measure)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of one network.

    Attributes
    ----------
    architecture, law, number, measure
        Which one: the key.
    digest
        SHA-256 of the network; empty where a training did not come so far.
    seed
        Of the campaign.
    versions
        Of the programs that computed it, as JSON.
    status
        ``"proved"`` or ``"bounds"``.
    seconds
        It took (a result that two measures share is counted for the first, as is the training up to there).
    value
        The document of the measure, as JSON.
    """

    architecture: str
    law: str
    number: int
    measure: str
    digest: str
    seed: int
    versions: str
    status: str
    seconds: float
    value: str

    @property
    def document(self) -> dict[str, Any]:
        """The document of the measure."""
        result: dict[str, Any] = json.loads(self.value)
        return result


class Count(NamedTuple):
    """How far an architecture and law is: networks with all measures, rows, proved ones, seconds."""

    architecture: str
    law: str
    networks: int
    rows: int
    proved: int
    seconds: float


class Store:
    """A store that is open; use it in a ``with`` block.

    Parameters
    ----------
    path
        The file. With ``write`` it is made where there is none.
    write
        Whether rows are to be added: takes the lock.

    Raises
    ------
    InputError
        No such file, no store, a store of another version, in use by another campaign, no room, not writable.
    """

    def __init__(self, path: StrPath, *, write: bool = False) -> None:
        self.path = os.fspath(path)
        self._lock: int | None = None
        exists = os.path.exists(self.path)
        folder = os.path.dirname(os.path.abspath(self.path))
        if os.path.isdir(self.path) or not (os.path.isdir(folder) if write else exists):
            found = "a directory" if os.path.isdir(self.path) else f"no directory {folder}" if write else "no such file"
            raise InputError(f"{self.path}: expected a store, found {found}")
        if write:
            self._lock = _locked(self.path)
        try:
            with self._errors():
                self._db = _connected(self.path, write=write)
                try:
                    self._prepare(write, exists and os.path.getsize(self.path) > 0)
                    self._inode = os.stat(self.path).st_ino
                except BaseException:
                    self._db.close()
                    raise
        except BaseException:
            self._unlock()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and give the lock back."""
        self._db.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.unlink(_lock_name(self.path))
            os.close(self._lock)
            self._lock = None

    def _prepare(self, write: bool, exists: bool) -> None:
        if exists or not write:
            (application,) = self._db.execute("PRAGMA application_id").fetchone()
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if application != APPLICATION and (tables or not write):
                found = "another SQLite file" if tables else "an empty one"
                raise InputError(f"{self.path}: expected a store of exactfd, found {found}")
            if application == APPLICATION and version != VERSION:
                raise InputError(
                    f"{self.path}: expected a store of version {VERSION}, found version {version}; "
                    "use the exactfd that made it, or another file"
                )
            if tables:
                if write:
                    self._db.execute("BEGIN IMMEDIATE")  # a file that cannot be written is known before the work
                    self._db.execute(f"PRAGMA user_version = {VERSION}")
                    self._db.execute("ROLLBACK")
                return
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.executescript(
            f"BEGIN; {_SCHEMA} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
        )

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Errors of SQLite in the words of this package."""
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            if name.startswith("SQLITE_NOTADB"):
                raise InputError(f"{self.path}: expected a store, found a file that is none") from None
            if name in ("SQLITE_CORRUPT", "SQLITE_CORRUPT_INDEX"):
                raise InputError(
                    f"{self.path}: expected a whole store, found a damaged one ({error}); restore a copy, or name "
                    "another file"
                ) from None
            kept = "what it holds is kept, and the same command goes on from there"
            raise InputError(f"{self.path}: expected to use the store, found: {error}; {kept}") from None

    # ------------------------------------------------------------------ the campaign

    @property
    def specification(self) -> dict[str, Any] | None:
        """The canonical form of the specification it is filled from; None in a new store."""
        with self._errors():
            found = self._db.execute("SELECT value FROM campaign WHERE key = 'specification'").fetchone()
        return None if found is None else json.loads(found[0])

    def set_specification(self, document: Mapping[str, Any]) -> None:
        """Keep a specification, or the larger one that takes its place."""
        with self._errors(), self._db:
            text = json.dumps(document, ensure_ascii=True)
            self._db.execute("INSERT OR REPLACE INTO campaign VALUES ('specification', ?)", [text])

    # ------------------------------------------------------------------ rows

    def add(self, rows: Iterable[Row]) -> None:
        """Add rows, all of them or none. A row that is there already is an error, and so is a file that is gone."""
        if not self._is_there():
            raise InputError(
                f"{self.path}: expected the store that was opened, found that it was removed or replaced meanwhile; "
                "what was written since is lost with it"
            )
        with self._errors(), self._db:
            places = ", ".join("?" * len(COLUMNS))
            self._db.executemany(
                f"INSERT INTO results VALUES ({places})", ([getattr(row, c) for c in COLUMNS] for row in rows)
            )

    def _is_there(self) -> bool:
        try:
            return os.stat(self.path).st_ino == self._inode
        except OSError:
            return False

    def done(self, architecture: str, law: str, low: int, high: int) -> dict[int, set[str]]:
        """Measures that are there of the networks from ``low`` to ``high`` (not included), by number."""
        result: dict[int, set[str]] = {}
        with self._errors():
            query = """SELECT number, measure FROM results
                       WHERE architecture = ? AND law = ? AND number >= ? AND number < ?"""
            for number, measure in self._db.execute(query, [architecture, law, low, high]):
                result.setdefault(number, set()).add(measure)
        return result

    def rows(self) -> Iterator[Row]:
        """Every row, in the order of its key: architectures and laws by name, numbers by size."""
        with self._errors():
            query = f"SELECT {', '.join(COLUMNS)} FROM results ORDER BY architecture, law, number, measure"
            for values in self._db.execute(query):
                yield Row(*values)

    def values(self) -> Iterator[tuple[str, str, int, str, str]]:
        """Key and value of every row, in the order of :meth:`rows`, and several times faster."""
        with self._errors():
            yield from self._db.execute(
                "SELECT architecture, law, number, measure, value FROM results "
                "ORDER BY architecture, law, number, measure"
            )

    def counts(self, measures: int) -> list[Count]:
        """For each architecture and law that has rows: how far it is, where a network has so many measures."""
        query = """SELECT architecture, law, sum(n >= ?), sum(n), sum(p), sum(s) FROM (
                       SELECT architecture, law, count(*) AS n, sum(status = 'proved') AS p, sum(seconds) AS s
                       FROM results GROUP BY architecture, law, number)
                   GROUP BY architecture, law"""
        with self._errors():
            return [Count(*values) for values in self._db.execute(query, [measures])]


def _connected(path: str, *, write: bool) -> sqlite3.Connection:
    name = "file:" + os.path.abspath(path).translate({ord("%"): "%25", ord("?"): "%3f", ord("#"): "%23"})
    if write:
        db = sqlite3.connect(f"{name}?mode=rwc", uri=True, isolation_level="IMMEDIATE", timeout=30)
        db.execute("PRAGMA synchronous = NORMAL")
        return db
    db = sqlite3.connect(f"{name}?mode=ro", uri=True, timeout=30)
    try:
        db.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError:
        db.close()
        if os.path.exists(f"{path}-wal"):
            raise
        db = sqlite3.connect(f"{name}?immutable=1", uri=True)  # in a folder that is not writable, nobody writes
    db.execute("BEGIN")  # all reads see one state
    return db


def _lock_name(path: str) -> str:
    return f"{os.path.realpath(path)}.lock"  # a link is the same store


def _locked(path: str) -> int:
    """Descriptor of the lock file, which the system unlocks when the process ends, however it ends."""
    name = _lock_name(path)
    while True:
        try:
            lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise InputError(f"{name}: expected a writable file, found: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.stat(name).st_ino == os.fstat(lock).st_ino:
                return lock
            os.close(lock)  # the one before us took the file away
        except FileNotFoundError:
            os.close(lock)
        except OSError:
            os.close(lock)
            raise InputError(
                f"{path}: expected a store that nobody else fills, found another campaign at work on it; wait for it, "
                "or name another file"
            ) from None
