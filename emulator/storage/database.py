"""How storage opens its SQLite files: their tables, and the version of these."""

import sqlite3
from pathlib import Path

from emulator.state_files import StateTooNew, opened, told

SCHEMA = 1
"""Version of all of storage's tables; a release that changes one raises it."""


def connect(path: Path, schema: str) -> sqlite3.Connection:
    """Open a file and make its tables if absent.

    The connection begins no transaction by itself and may be used by any thread, one at a time.

    Raises:
        StateDamaged: it can't be read or written.
        StateTooNew: a newer release wrote it.
    """
    connection = opened(path)
    try:
        with told(path):
            (found,) = connection.execute("PRAGMA user_version").fetchone()
            if found > SCHEMA:
                raise StateTooNew(path, found, SCHEMA)
            connection.executescript(schema)
            if found < SCHEMA:
                connection.execute(f"PRAGMA user_version={SCHEMA}")
    except BaseException:
        connection.close()
        raise
    return connection
