"""The SQLite file and its migrations."""

import sqlite3
from pathlib import Path

import pytest

from emulator.errors import PermanentError
from emulator.store import database as module
from emulator.store.database import MIGRATIONS, Database


def test_opening_twice_migrates_once(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "documents.sqlite"
    for _ in range(2):
        database = Database(path)
        assert database.rows("PRAGMA user_version") == [(len(MIGRATIONS),)]
        database.close()


def test_a_file_of_an_older_release_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "documents.sqlite"
    Database(path).close()
    newer = (*MIGRATIONS, "CREATE TABLE novelty (name TEXT); CREATE TABLE another (name TEXT);")
    monkeypatch.setattr(module, "MIGRATIONS", newer)
    database = Database(path)
    assert database.rows("SELECT * FROM novelty") == []
    assert database.rows("PRAGMA user_version") == [(len(newer),)]
    database.close()


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "documents.sqlite"
    Database(path).close()
    broken = (*MIGRATIONS, "CREATE TABLE novelty (name TEXT); CREATE TABLE document (name TEXT);")
    monkeypatch.setattr(module, "MIGRATIONS", broken)
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        Database(path)
    monkeypatch.undo()
    database = Database(path)
    assert database.rows("SELECT name FROM sqlite_master WHERE name = 'novelty'") == []
    database.close()


def test_a_file_of_a_newer_release_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "documents.sqlite"
    Database(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(PermanentError, match="written by a newer release"):
        Database(path)


def test_a_transaction_that_raises_is_rolled_back(tmp_path: Path) -> None:
    database = Database(tmp_path / "documents.sqlite")

    def write() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO tag VALUES ('arn', 'key', 'value')")
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        write()
    assert database.rows("SELECT * FROM tag") == []
    database.close()
