"""The store on a real SQLite file."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.call import Scope
from emulator.errors import PermanentError, ResourceInUse, ValidationException
from emulator.kinds import ENDPOINT, MODEL, TRAINING_JOB
from emulator.store.database import Database
from emulator.store.documents import Documents

HOME = Scope("123456789012", "us-west-2")
AWAY = Scope("123456789012", "eu-west-1")
STRANGER = Scope("210987654321", "us-west-2")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "documents.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Documents]:
    database = Database(path)
    yield Documents(database)
    database.close()


def _arn(name: str, scope: Scope = HOME, segment: str = "model") -> str:
    return f"arn:aws:sagemaker:{scope.region}:{scope.account}:{segment}/{name}"


def test_a_document_is_fetched_as_it_was_created(store: Documents) -> None:
    document = {"ModelName": "M", "Nested": {"List": [1, 2.5, None, "é"]}}
    created = store.create(MODEL, HOME, "My-Model", "Created", document)
    assert store.fetch(MODEL, HOME, "My-Model") == created
    assert created.document == document
    assert (created.arn, created.version, created.phase) == (_arn("my-model"), 1, "Created")


def test_a_record_is_found_by_its_arn(store: Documents) -> None:
    created = store.create(MODEL, HOME, "My-Model", "Created", {})
    assert store.find_arn(_arn("my-model")) == created
    assert store.find_arn(_arn("My-Model")) is None


@pytest.mark.parametrize("name", ["Nobody", "my-model"])
def test_an_absent_document_is_refused_in_the_kinds_words(store: Documents, name: str) -> None:
    store.create(MODEL, HOME, "My-Model", "Created", {})
    assert store.find(MODEL, HOME, name) is None
    with pytest.raises(ValidationException) as refusal:
        store.fetch(MODEL, HOME, name)
    assert refusal.value.message == f'Could not find model "{_arn(name.lower())}".'


@pytest.mark.parametrize(
    "kind, error", [(MODEL, ValidationException), (TRAINING_JOB, ResourceInUse)]
)
def test_a_name_is_taken_in_any_spelling(store: Documents, kind, error) -> None:
    store.create(kind, HOME, "Name", "Created", {"kept": True})
    for name in ("Name", "NAME"):
        with pytest.raises(error) as refusal:
            store.create(kind, HOME, name, "Created", {})
        assert _arn("name", segment=kind.arn_segment) in refusal.value.message
    assert store.fetch(kind, HOME, "Name").document == {"kept": True}


def test_scopes_and_kinds_have_names_of_their_own(store: Documents) -> None:
    for kind in (MODEL, ENDPOINT):
        for scope in (HOME, AWAY, STRANGER):
            store.create(kind, scope, "same", "Created", {"kind": kind.name, "scope": scope.region})
    assert store.fetch(ENDPOINT, AWAY, "same").document == {
        "kind": "Endpoint",
        "scope": "eu-west-1",
    }
    assert [record.scope for record in store.select(MODEL)] == [HOME, AWAY, STRANGER]
    assert [record.scope for record in store.select(MODEL, AWAY)] == [AWAY]


def test_records_are_selected_oldest_first(store: Documents) -> None:
    for name in ("c", "a", "b"):
        store.create(MODEL, HOME, name, "Created", {})
    store.remove(MODEL, HOME, "a")
    store.create(MODEL, HOME, "a", "Created", {})
    assert [record.name for record in store.select(MODEL, HOME)] == ["c", "b", "a"]


def test_a_change_is_kept_with_its_history(store: Documents) -> None:
    store.create(MODEL, HOME, "m", "Created", {"n": 1})
    changed = store.change(
        MODEL,
        HOME,
        "m",
        lambda record: ("Used", record.document | {"n": 2}),
        event="Touched",
        message="by a test",
    )
    assert store.fetch(MODEL, HOME, "m") == changed
    assert (changed.phase, changed.document, changed.version) == ("Used", {"n": 2}, 2)
    first, second = store.history(MODEL, HOME, "m")
    assert (first.event, first.phase) == ("Created", "Created")
    assert (second.event, second.phase, second.message) == ("Touched", "Used", "by a test")
    assert first.at <= second.at


def test_a_change_that_raises_changes_nothing(store: Documents) -> None:
    created = store.create(MODEL, HOME, "m", "Created", {})

    def fail(record: object) -> tuple[str, dict[str, object]]:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        store.change(MODEL, HOME, "m", fail, event="Touched")
    assert store.fetch(MODEL, HOME, "m") == created
    assert len(store.history(MODEL, HOME, "m")) == 1
    store.create(MODEL, HOME, "the-writer-is-free", "Created", {})


def test_changing_what_is_absent_is_refused(store: Documents) -> None:
    with pytest.raises(ValidationException, match="Could not find model"):
        store.change(MODEL, HOME, "m", lambda record: ("Used", {}), event="Touched")


def test_changes_from_many_threads_are_all_kept(store: Documents) -> None:
    store.create(MODEL, HOME, "m", "Created", {"n": 0})

    def count() -> None:
        for _ in range(50):
            store.change(
                MODEL,
                HOME,
                "m",
                lambda record: (record.phase, {"n": record.document["n"] + 1}),
                event="Counted",
            )

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record = store.fetch(MODEL, HOME, "m")
    assert (record.document["n"], record.version) == (200, 201)


def test_removing_forgets_history_and_tags(store: Documents) -> None:
    record = store.create(MODEL, HOME, "m", "Created", {})
    store.tag(record.arn, {"a": "1"})
    store.remove(MODEL, HOME, "m")
    with pytest.raises(ValidationException, match="Could not find model"):
        store.remove(MODEL, HOME, "m")
    store.create(MODEL, HOME, "m", "Created", {})
    assert store.tags(record.arn) == {}
    assert len(store.history(MODEL, HOME, "m")) == 1


def test_tags_are_replaced_in_place_and_removed_by_key(store: Documents) -> None:
    arn = store.create(MODEL, HOME, "m", "Created", {}).arn
    store.tag(arn, {"a": "1", "b": "2"})
    assert list(store.tag(arn, {"a": "3", "c": "4"}).items()) == [
        ("a", "3"),
        ("b", "2"),
        ("c", "4"),
    ]
    store.untag(arn, ["b", "never-there"])
    assert store.tags(arn) == {"a": "3", "c": "4"}


def test_clearing_forgets_everything(store: Documents) -> None:
    arn = store.create(MODEL, HOME, "m", "Created", {}).arn
    store.tag(arn, {"a": "1"})
    store.clear()
    assert list(store.select(MODEL)) == []
    assert store.tags(arn) == {}
    assert store.history(MODEL, HOME, "m") == []


_WRITER = """
import sys
from pathlib import Path
from emulator.call import Scope
from emulator.kinds import MODEL
from emulator.store.database import Database
from emulator.store.documents import Documents

store = Documents(Database(Path(sys.argv[1])))
store.create(MODEL, Scope("123456789012", "us-west-2"), "kept", "Created", {"n": 1})
with store._database.transaction() as connection:
    connection.execute("DELETE FROM document")
    print("in the middle", flush=True)
    sys.stdin.read()
"""


def test_a_kill_loses_nothing_that_was_written_and_keeps_nothing_half_done(path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"in the middle\n"
        os.kill(writer.pid, signal.SIGKILL)
    database = Database(path)
    assert Documents(database).fetch(MODEL, HOME, "kept").document == {"n": 1}
    database.close()


def test_a_transaction_is_all_or_nothing(store: Documents) -> None:
    store.create(MODEL, HOME, "kept", "Created", {})

    def change(taken: str) -> None:
        with store.transaction():
            store.create(MODEL, HOME, "new", "Created", {})
            store.remove(MODEL, HOME, "kept")
            store.create(MODEL, HOME, taken, "Created", {})

    with pytest.raises(ValidationException):
        change("NEW")
    assert [record.name for record in store.select(MODEL)] == ["kept"]
    change("newer")
    assert [record.name for record in store.select(MODEL)] == ["new", "newer"]


def test_no_writer_comes_between_the_writes_of_a_transaction(store: Documents) -> None:
    began = threading.Event()

    def write() -> None:
        began.set()
        store.create(MODEL, HOME, "another", "Created", {})

    writer = threading.Thread(target=write)
    with store.transaction():
        store.create(MODEL, HOME, "first", "Created", {})
        writer.start()
        assert began.wait(60)
        store.create(MODEL, HOME, "second", "Created", {})
        assert {record.name for record in store.select(MODEL)} == {"first", "second"}
    writer.join(60)
    assert [record.name for record in store.select(MODEL)] == ["first", "second", "another"]


def test_what_can_not_be_read_of_one_harms_no_other(
    store: Documents, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("first", "spoilt", "last"):
        store.create(MODEL, HOME, name, "Created", {})
    with sqlite3.connect(path) as disk:
        disk.execute("UPDATE document SET body = x'7b7b' WHERE name = 'spoilt'")
    disk.close()
    assert [record.name for record in store.select(MODEL)] == ["first", "last"]
    assert f"What is kept of {_arn('spoilt')} can't be read" in caplog.text
    with pytest.raises(PermanentError, match="can't be read"):
        store.fetch(MODEL, HOME, "spoilt")
    store.remove(MODEL, HOME, "spoilt")
    assert store.find(MODEL, HOME, "spoilt") is None
