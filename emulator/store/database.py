"""The SQLite file: one connection behind one lock, numbered migrations."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emulator.state_files import StateTooNew, opened, told

MIGRATIONS = (
    """
    CREATE TABLE document (
        kind TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
        arn TEXT NOT NULL, phase TEXT NOT NULL, body BLOB NOT NULL, version INTEGER NOT NULL,
        PRIMARY KEY (kind, account, region, name)
    ) STRICT;
    CREATE UNIQUE INDEX document_arn ON document (arn);
    CREATE TABLE history (
        arn TEXT NOT NULL, at REAL NOT NULL, event TEXT NOT NULL, phase TEXT NOT NULL,
        message TEXT NOT NULL
    ) STRICT;
    CREATE INDEX history_arn ON history (arn);
    CREATE TABLE tag (
        arn TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (arn, key)
    ) STRICT;
    """,
    """
    CREATE TABLE measurement (
        arn TEXT NOT NULL, name TEXT NOT NULL, at REAL NOT NULL, step INTEGER, value REAL NOT NULL
    ) STRICT;
    CREATE INDEX measurement_arn ON measurement (arn, name);
    """,
)


class Database:
    """Opens, migrates and guards one SQLite file."""

    def __init__(self, path: Path) -> None:
        """Open `path`, creating and migrating it as needed.

        Raises:
            StateTooNew: a newer release wrote the file.
            StateDamaged: it can't be read or written, now or whenever it is used.
        """
        self._path = path
        self._connection = opened(path)
        self._lock = threading.RLock()
        try:
            with told(path):
                self._migrate()
        except BaseException:
            self._connection.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the writer; commit at the end, roll back if the block raises.

        A transaction within another is a part of it.
        """
        with self._lock, told(self._path):
            if self._connection.in_transaction:
                # Ours: whoever else had begun one would hold the lock.
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Return all rows of a read."""
        with self._lock, told(self._path):
            return self._connection.execute(query, values).fetchall()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _migrate(self) -> None:
        (found,) = self._connection.execute("PRAGMA user_version").fetchone()
        if found > len(MIGRATIONS):
            raise StateTooNew(self._path, found, len(MIGRATIONS))
        for number, script in enumerate(MIGRATIONS[found:], start=found + 1):
            # executescript commits what is open first, so the version travels in the same script.
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {script}; PRAGMA user_version={number}; COMMIT;"
            )
