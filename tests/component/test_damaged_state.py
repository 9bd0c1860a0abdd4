"""State files that can't be used: `up` ends with one sentence, and touches nothing."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.state_files import StateDamaged, StateTooNew
from emulator.storage import database, index
from emulator.storage.database import connect
from emulator.store.database import Database

RESOURCES, INDEX = "resources.sqlite", "storage/s3/index.sqlite"
LINES, VALUES = "storage/logs/lines.sqlite", "storage/logs/metrics.sqlite"
FILES = (RESOURCES, INDEX, LINES, VALUES)


def up(state: Path) -> "subprocess.CompletedProcess[str]":
    """Run `up` until it ends by itself."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("EMULATOR_", "AWS_"))}
    return subprocess.run(
        [sys.executable, "-m", "emulator.cli", "up", "--port", "0", "--state", str(state)],
        env={**clean, "DOCKER_HOST": f"unix://{state}/no-engine.sock"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def refused(state: Path, file: Path) -> str:
    """Return the one sentence with which `up` ends because of a file."""
    before = file.read_bytes()
    done = up(state)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(told) == 1, done.stderr
    assert str(file) in told[0]
    assert file.read_bytes() == before
    return told[0]


def garbage(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"no database at all\n" * 500)


def torn(file: Path) -> None:
    """Spoil every page behind the first one, as a disk may: the header still looks sound."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.name == Path(RESOURCES).name:
        filled = Database(file)
        with filled.transaction() as connection:
            fill = "INSERT INTO document VALUES ('Endpoint', 'a', 'r', ?, ?, 'p', ?, 1)"
            connection.executemany(fill, [(str(n), str(n), b"x" * 900) for n in range(40)])
        filled.close()
    else:
        objects = connect(file, index._SCHEMA)
        rows = [("bucket", str(number), b"x" * 900) for number in range(40)]
        objects.executemany(index.PUT_OBJECT, rows)
        objects.close()
    with file.open("r+b") as spoilt:
        size = file.stat().st_size
        spoilt.seek(4096)
        spoilt.write(b"\xa5" * (size - 4096))


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_database_is_named_and_nothing_is_served(
    name: str, tmp_path: Path
) -> None:
    garbage(tmp_path / name)
    told = refused(tmp_path, tmp_path / name)
    assert "file is not a database" in told
    assert "--state DIR" in told


@pytest.mark.parametrize("name", [RESOURCES, INDEX])
def test_a_file_that_is_spoilt_behind_its_beginning_is_named_too(name: str, tmp_path: Path) -> None:
    torn(tmp_path / name)
    assert "malformed" in refused(tmp_path, tmp_path / name)


def test_an_id_of_containers_that_is_none_is_told_and_an_empty_one_is_made_anew(
    tmp_path: Path,
) -> None:
    (tmp_path / "instance").write_text("../other\n")
    assert "it is no id of containers" in refused(tmp_path, tmp_path / "instance")
    (tmp_path / "instance").write_text("")
    garbage(tmp_path / INDEX)  # so that `up` ends
    assert INDEX in up(tmp_path).stderr


@pytest.mark.parametrize("make", [Database, lambda path: connect(path, index._SCHEMA)])
def test_a_file_of_a_newer_release_is_refused_and_left_alone(
    make: Callable[[Path], object], tmp_path: Path
) -> None:
    file = tmp_path / "file.sqlite"
    made = make(file)
    made.close()
    newer = sqlite3.connect(file)
    newer.execute("PRAGMA user_version=99")
    newer.close()
    with pytest.raises(StateTooNew, match=r"schema 99.*Upgrade sagemaker-emulator"):
        make(file)


def test_a_file_of_the_release_before_versions_is_taken_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "index.sqlite"
    older = sqlite3.connect(file)
    older.executescript(index._SCHEMA)
    older.execute("INSERT INTO objects VALUES ('bucket', 'key', x'01')")
    older.commit()
    older.close()
    opened = connect(file, index._SCHEMA)
    assert opened.execute("SELECT count(*) FROM objects").fetchone() == (1,)
    assert opened.execute("PRAGMA user_version").fetchone() == (database.SCHEMA,)
    opened.close()


def test_a_file_in_place_of_a_directory_and_the_other_way_round(tmp_path: Path) -> None:
    (tmp_path / "storage").write_text("")
    with pytest.raises(StateDamaged, match=r"File exists|Not a directory"):
        connect(tmp_path / "storage" / "index.sqlite", index._SCHEMA)
    (tmp_path / RESOURCES).mkdir()
    with pytest.raises(StateDamaged, match="unable to open database file"):
        Database(tmp_path / RESOURCES)
