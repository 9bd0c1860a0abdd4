"""CloudWatch Logs in this process: what the emulator itself writes there.

Lines go to moto, which serves them, and to a SQLite file, from which they come back after a
restart. Streams and lines that clients write through the API live in memory only.
"""

import logging
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from moto.logs.models import logs_backends

from emulator.call import Area, Scope
from emulator.state_files import told
from emulator.storage.database import connect

logger = logging.getLogger(__name__)

# What a restart brings back of one stream; moto keeps every line in memory.
RELOADED_LINES = 10_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS streams (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL,
    log_group TEXT NOT NULL, stream TEXT NOT NULL, UNIQUE (account, region, log_group, stream)
);
CREATE TABLE IF NOT EXISTS lines (
    id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, at REAL NOT NULL, text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS lines_of_stream ON lines (stream, id);
"""


class Line(Protocol):
    """One line: epoch seconds and text."""

    @property
    def at(self) -> float: ...

    @property
    def text(self) -> str: ...


def _text(text: str) -> str:
    """Return a line as SQLite and a reply can hold it."""
    return text.encode("utf-8", "replace").decode()


class LogStreams:
    """Log streams that survive a restart.

    Args:
        path: the SQLite file; created if absent.
        lock: held while moto's backends are touched.
    """

    def __init__(self, path: Path, lock: threading.RLock) -> None:
        self._lock = lock
        self._connection = connect(path, _SCHEMA)
        self._ids: dict[tuple[str, str, str, str], int] = {}
        self._lost = False
        """Whether the last lines could not be kept, so that it is said once."""
        with told(path):
            self._load()

    def open(self, scope: Scope, group: str) -> None:
        """Make a group, unless it is there."""
        with self._lock:
            logs_backends[scope.account][scope.region].ensure_log_group(group)

    def put(self, scope: Scope, group: str, stream: str, lines: Sequence[Line]) -> None:
        """Append lines; makes the group and the stream if need be, even for no lines.

        Lines that can't be kept on disk are shown all the same, and gone at the next start: a
        container's output must not end because of one line, or while the disk is full.
        """
        events = [(line.at, _text(line.text)) for line in lines]
        with self._lock:
            self._stream(scope, group, stream)
            try:
                self._keep(scope, group, stream, events)
                self._lost = False
            except sqlite3.Error as error:
                if not self._lost:
                    logger.warning("log lines can't be kept for the next start: %s", error)
                self._lost = True
            self._show(scope, group, stream, events)

    def _keep(
        self, scope: Scope, group: str, stream: str, events: Sequence[tuple[float, str]]
    ) -> None:
        number = self._number(scope, group, stream)
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "INSERT INTO lines (stream, at, text) VALUES (?, ?, ?)",
                ((number, at, text) for at, text in events),
            )

    def last(self, scope: Scope, group: str, stream: str) -> float:
        """Return the epoch seconds of a stream's last line as they were put, 0.0 if it has none.

        They are kept as exactly as they came, though clients read milliseconds: whoever goes on
        after this line must neither repeat nor miss one of the same millisecond.
        """
        with self._lock:
            number = self._ids.get((scope.account, scope.region, group, stream))
            query = "SELECT max(at) FROM lines WHERE stream = ?"
            (at,) = self._connection.execute(query, (number,)).fetchone()
        return at or 0.0

    def _stream(self, scope: Scope, group: str, stream: str) -> None:
        backend = logs_backends[scope.account][scope.region]
        backend.ensure_log_group(group)
        backend.ensure_log_stream(group, stream)

    def _show(
        self, scope: Scope, group: str, stream: str, events: Sequence[tuple[float, str]]
    ) -> None:
        if events:
            # The group's own method, because the backend's drops lines older than two weeks and
            # refuses lines out of order.
            shown = [{"timestamp": int(at * 1000), "message": text} for at, text in events]
            try:
                logs_backends[scope.account][scope.region].groups[group].put_log_events(
                    stream, shown
                )
            except Exception:
                # The lines are there; what failed is a subscription that a client has made.
                logger.warning("a subscription to %s failed", group, exc_info=True)

    def _number(self, scope: Scope, group: str, stream: str) -> int:
        name = (scope.account, scope.region, group, stream)
        if name not in self._ids:
            row = self._connection.execute(
                "INSERT INTO streams (account, region, log_group, stream) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET stream = excluded.stream RETURNING id",
                name,
            ).fetchone()
            self._ids[name] = row[0]
        return self._ids[name]

    def _load(self) -> None:
        rows = self._connection.execute(
            "SELECT account, region, log_group, stream, id FROM streams"
        )
        for account, region, group, stream, number in rows.fetchall():
            scope = Scope(account, region)
            self._ids[account, region, group, stream] = number
            self._stream(scope, group, stream)
            events = self._connection.execute(
                "SELECT at, text FROM (SELECT * FROM lines WHERE stream = ? "
                "ORDER BY id DESC LIMIT ?) ORDER BY id",
                (number, RELOADED_LINES),
            ).fetchall()
            self._show(scope, group, stream, events)

    def after(self, service: str, scope: Scope, operation: str) -> None:
        """Forget the lines of what a client has just deleted."""
        if service != "logs" or operation not in ("DeleteLogGroup", "DeleteLogStream"):
            return
        with self._lock:
            groups = logs_backends[scope.account][scope.region].groups
            for name, number in list(self._ids.items()):
                account, region, group, stream = name
                if (account, region) != (scope.account, scope.region):
                    continue
                if group not in groups or stream not in groups[group].streams:
                    with self._connection:
                        self._connection.execute("BEGIN IMMEDIATE")
                        self._connection.execute("DELETE FROM lines WHERE stream = ?", (number,))
                        self._connection.execute("DELETE FROM streams WHERE id = ?", (number,))
                    del self._ids[name]

    def reset(self, area: Area) -> None:
        """Forget the lines of an area's streams."""
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for name, number in list(self._ids.items()):
                if area.covers(Scope(name[0], name[1])):
                    self._connection.execute("DELETE FROM lines WHERE stream = ?", (number,))
                    self._connection.execute("DELETE FROM streams WHERE id = ?", (number,))
                    del self._ids[name]

    def close(self) -> None:
        with self._lock:
            self._connection.close()
