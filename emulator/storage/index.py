"""The durable index of S3: which buckets, objects and unfinished uploads exist (SQLite, WAL).

One row per bucket, per key (all its versions), per unfinished upload and per uploaded part. The
rows are opaque here; `records` writes and reads them. A row is committed before its request is
answered and only ever names bodies that are complete.
"""

import contextlib
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from emulator.state_files import told
from emulator.storage.database import connect

_SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (
    name TEXT PRIMARY KEY, account TEXT NOT NULL, partition TEXT NOT NULL, state BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT NOT NULL, key TEXT NOT NULL, state BLOB NOT NULL, PRIMARY KEY (bucket, key)
);
CREATE TABLE IF NOT EXISTS uploads (
    bucket TEXT NOT NULL, id TEXT NOT NULL, state BLOB NOT NULL, PRIMARY KEY (bucket, id)
);
CREATE TABLE IF NOT EXISTS parts (
    bucket TEXT NOT NULL, upload TEXT NOT NULL, number INTEGER NOT NULL, state BLOB NOT NULL,
    PRIMARY KEY (bucket, upload, number)
);
"""

Row = tuple[str | int | bytes, ...]


class Index:
    """The index file; one connection, one lock.

    Args:
        path: the SQLite file; created if absent.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._path = path
        self._connection = connect(path, _SCHEMA)

    def write(self, statements: Iterable[tuple[str, Row]]) -> None:
        """Execute all statements in one transaction, or none of them."""
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for statement, row in statements:
                self._connection.execute(statement, row)

    def rows(self, table: str, **where: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a table of the schema whose columns have these values.

        What is no UTF-8 is in no row.
        """
        condition = " AND ".join(f"{column} = ?" for column in where) or "1"
        query = f"SELECT * FROM {table} WHERE {condition}"
        with self._lock, told(self._path), contextlib.suppress(UnicodeEncodeError):
            yield from self._connection.execute(query, tuple(where.values()))

    def row(self, table: str, **where: str) -> tuple[Any, ...] | None:
        """Return the one row with these values, or None."""
        return next(iter(list(self.rows(table, **where))), None)

    def clear(self) -> None:
        self.write((f"DELETE FROM {table}", ()) for table in _TABLES)

    def close(self) -> None:
        with self._lock:
            self._connection.close()


_TABLES = ("buckets", "objects", "uploads", "parts")

PUT_BUCKET = "INSERT OR REPLACE INTO buckets VALUES (?, ?, ?, ?)"
DROP_BUCKET = "DELETE FROM buckets WHERE name = ?"
PUT_OBJECT = "INSERT OR REPLACE INTO objects VALUES (?, ?, ?)"
DROP_OBJECT = "DELETE FROM objects WHERE bucket = ? AND key = ?"
DROP_OBJECTS = "DELETE FROM objects WHERE bucket = ?"
PUT_UPLOAD = "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?)"
DROP_UPLOAD = "DELETE FROM uploads WHERE bucket = ? AND id = ?"
DROP_UPLOADS = "DELETE FROM uploads WHERE bucket = ?"
PUT_PART = "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?)"
DROP_PARTS = "DELETE FROM parts WHERE bucket = ? AND upload = ?"
DROP_BUCKET_PARTS = "DELETE FROM parts WHERE bucket = ?"
