"""Durable documents, their history and their tags; implements `call.Store` on SQLite."""

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import orjson

from emulator import arn as arns
from emulator.call import EVERYTHING, Area, Document, Entry, Kind, Measurement, Record, Scope
from emulator.clock import now
from emulator.errors import PermanentError
from emulator.store.database import Database

log = logging.getLogger(__name__)

_COLUMNS = "kind, account, region, name, arn, phase, body, version"


class Documents:
    """The one home of every SageMaker resource."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self) -> AbstractContextManager[object]:
        return self._database.transaction()

    def create(
        self,
        kind: Kind,
        scope: Scope,
        name: str,
        phase: str,
        document: Document,
        tags: Mapping[str, str] | None = None,
        *,
        admit: Callable[[], None] = lambda: None,
    ) -> Record:
        arn = arns.of(scope, kind.arn_segment, name)
        body = orjson.dumps(document)
        try:
            with self._database.transaction() as connection:
                admit()
                connection.execute(
                    f"INSERT INTO document ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
                    (kind.name, scope.account, scope.region, name, arn, phase, body),
                )
                _remember(connection, arn, "Created", phase, "")
                _label(connection, arn, tags or {})
        except sqlite3.IntegrityError:
            raise kind.taken_error(kind.taken.format(arn=arn, name=name)) from None
        return Record(kind.name, scope, name, arn, phase, document)

    def fetch(self, kind: Kind, scope: Scope, name: str) -> Record:
        record = self.find(kind, scope, name)
        if record is None:
            raise _absent(kind, scope, name)
        return record

    def find(self, kind: Kind, scope: Scope, name: str) -> Record | None:
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM document"
            " WHERE kind = ? AND account = ? AND region = ? AND name = ?",
            *(kind.name, scope.account, scope.region, name),
        )
        return _record(rows[0]) if rows else None

    def find_arn(self, arn: str) -> Record | None:
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM document WHERE arn = ?", arn)
        return _record(rows[0]) if rows else None

    def select(
        self, kind: Kind, scope: Scope | None = None, *, phases: Iterable[str] | None = None
    ) -> Iterator[Record]:
        where, values = "kind = ?", [kind.name]
        if scope is not None:
            where += " AND account = ? AND region = ?"
            values += [scope.account, scope.region]
        if phases is not None:
            wanted = [str(phase) for phase in phases]
            where += f" AND phase IN ({', '.join('?' * len(wanted))})"
            values += wanted
        query = f"SELECT {_COLUMNS} FROM document WHERE {where} ORDER BY rowid"
        return _readable(self._database.rows(query, *values))

    def change(
        self,
        kind: Kind,
        scope: Scope,
        name: str,
        change: Callable[[Record], tuple[str, Document]],
        *,
        event: str,
        message: str = "",
    ) -> Record:
        with self._database.transaction() as connection:
            old = self.fetch(kind, scope, name)
            phase, document = change(old)
            connection.execute(
                "UPDATE document SET phase = ?, body = ?, version = ? WHERE arn = ?",
                (phase, orjson.dumps(document), old.version + 1, old.arn),
            )
            _remember(connection, old.arn, event, phase, message)
        return Record(kind.name, scope, name, old.arn, phase, document, old.version + 1)

    def remove(self, kind: Kind, scope: Scope, name: str) -> None:
        arn = arns.of(scope, kind.arn_segment, name)
        with self._database.transaction() as connection:
            gone = connection.execute("DELETE FROM document WHERE arn = ?", (arn,)).rowcount
            if not gone:
                raise _absent(kind, scope, name)
            connection.execute("DELETE FROM history WHERE arn = ?", (arn,))
            connection.execute("DELETE FROM tag WHERE arn = ?", (arn,))
            connection.execute("DELETE FROM measurement WHERE arn = ?", (arn,))

    def history(self, kind: Kind, scope: Scope, name: str) -> list[Entry]:
        arn = arns.of(scope, kind.arn_segment, name)
        rows: list[Any] = self._database.rows(
            "SELECT at, event, phase, message FROM history WHERE arn = ? ORDER BY rowid", arn
        )
        return [Entry(*row) for row in rows]

    def tags(self, arn: str) -> dict[str, str]:
        rows: list[Any] = self._database.rows(
            "SELECT key, value FROM tag WHERE arn = ? ORDER BY rowid", arn
        )
        return dict(rows)

    def tag(self, arn: str, tags: Mapping[str, str]) -> dict[str, str]:
        with self._database.transaction() as connection:
            _label(connection, arn, tags)
        return self.tags(arn)

    def untag(self, arn: str, keys: list[str]) -> None:
        with self._database.transaction() as connection:
            connection.executemany(
                "DELETE FROM tag WHERE arn = ? AND key = ?", [(arn, key) for key in keys]
            )

    def measure(self, arn: str, measurements: Iterable[Measurement]) -> None:
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO measurement VALUES (?, ?, ?, ?, ?)",
                [(arn, one.name, one.at, one.step, one.value) for one in measurements],
            )

    def measurements(self, arn: str) -> list[Measurement]:
        rows: list[Any] = self._database.rows(
            "SELECT name, at, step, value FROM measurement WHERE arn = ? ORDER BY rowid", arn
        )
        return [Measurement(*row) for row in rows]

    def clear(self, area: Area = EVERYTHING) -> None:
        """Forget everything of an area."""
        where = "(:account IS NULL OR account = :account) AND (:region IS NULL OR region = :region)"
        values = {"account": area.account, "region": area.region}
        with self._database.transaction() as connection:
            for table in ("history", "tag", "measurement"):
                connection.execute(
                    f"DELETE FROM {table} WHERE arn IN (SELECT arn FROM document WHERE {where})",
                    values,
                )
            connection.execute(f"DELETE FROM document WHERE {where}", values)


def _absent(kind: Kind, scope: Scope, name: str) -> Exception:
    return kind.missing(arns.of(scope, kind.arn_segment, name), name)


def _record(row: tuple[Any, ...]) -> Record:
    kind, account, region, name, arn, phase, body, version = row
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise PermanentError(f"What is kept of {arn} can't be read: {error}") from error
    return Record(kind, Scope(account, region), name, arn, phase, document, version)


def _readable(rows: Iterable[tuple[Any, ...]]) -> Iterator[Record]:
    """Yield the records; one that can't be read is left as it is, and harms no other."""
    for row in rows:
        try:
            yield _record(row)
        except PermanentError as error:
            log.error("%s", error)


def _remember(
    connection: sqlite3.Connection, arn: str, event: str, phase: str, message: str
) -> None:
    connection.execute(
        "INSERT INTO history VALUES (?, ?, ?, ?, ?)", (arn, now(), event, phase, message)
    )


def _label(connection: sqlite3.Connection, arn: str, tags: Mapping[str, str]) -> None:
    connection.executemany(
        "INSERT INTO tag VALUES (?, ?, ?)"
        " ON CONFLICT (arn, key) DO UPDATE SET value = excluded.value",
        [(arn, key, value) for key, value in tags.items()],
    )
