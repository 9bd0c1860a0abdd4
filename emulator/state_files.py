"""The SQLite files of a state directory: how each is opened, and what is said of a damaged one.

One connection each, write-ahead logging. NORMAL synchronisation survives a kill of the process at
any moment; a power loss may lose the last commits but never corrupts the file.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emulator.errors import PermanentError

OF_STORAGE = ("s3/index.sqlite", "logs/lines.sqlite", "logs/metrics.sqlite")
"""The files of the storage, below its own directory: of objects, of log lines, of metrics."""
_HEADER = b"SQLite format 3\0"


class StateDamaged(PermanentError):
    """A file of the state directory can't be read; says which one and what to do."""

    def __init__(self, path: Path, reason: object) -> None:
        super().__init__(
            f"The state file {path} can't be used: {reason}. Put a copy of it back, or choose"
            " another directory with --state DIR. Moved away, it is made anew without what it kept."
        )


class StateTooNew(PermanentError):
    """A newer release wrote a file of the state directory."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(
            f"{path} was written by a newer release of the emulator (schema {found}, this one"
            f" knows {known}). Upgrade sagemaker-emulator, or choose another --state."
        )


def opened(path: Path) -> sqlite3.Connection:
    """Open a file, which is made if absent.

    The connection begins no transaction by itself and may be used by any thread, one at a time.

    Raises:
        StateDamaged: it is no SQLite file, or can't be opened or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateDamaged(path, error.strerror) from error
    with told(path):
        connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what SQLite says of a file that can't be read or written into StateDamaged.

    A broken constraint or a statement that the schema does not fit is a caller's own, and passes.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        if not _of_the_file(error):
            raise
        raise StateDamaged(path, error) from error


def check(path: Path) -> None:
    """Raise StateDamaged if a file is there that is none of SQLite's; reads its first bytes only.

    For a file that is opened later and elsewhere: what is wrong is told before anything is served.
    """
    try:
        with path.open("rb") as file:
            found = file.read(len(_HEADER))
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateDamaged(path, error.strerror) from error
    if found not in (b"", _HEADER):
        raise StateDamaged(path, "file is not a database")


def _of_the_file(error: sqlite3.DatabaseError) -> bool:
    """Tell whether the fault is the file's or the disk's."""
    primary = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return primary in (
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_PERM,
    )
