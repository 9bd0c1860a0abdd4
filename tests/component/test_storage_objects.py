"""S3 for the emulator's own parts: no HTTP, no copies."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from storage_server import ACCOUNT, OTHER_ACCOUNT, client, serving_of

from emulator.call import Objects, Scope
from emulator.errors import PermanentError
from emulator.storage import ScopedObjects, Storage

BUCKET = "data-bucket"


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    storage = Storage(tmp_path / "storage")
    yield storage
    storage.close()


@pytest.fixture
def objects(storage: Storage) -> ScopedObjects:
    objects = storage.objects(Scope(ACCOUNT, "eu-west-1"))
    objects.create_bucket_if_absent(BUCKET)
    return objects


def test_a_file_is_moved_in_and_its_bytes_are_never_copied(
    objects: ScopedObjects, tmp_path: Path
) -> None:
    artifact = tmp_path / "model.tar.gz"
    artifact.write_bytes(b"weights")
    artifact.chmod(0o600)
    inode = artifact.stat().st_ino
    objects.put_file(BUCKET, "out/model.tar.gz", artifact, content_type="application/x-tar")
    assert not artifact.exists()
    stored = objects.stat(BUCKET, "out/model.tar.gz")
    assert stored.path.stat().st_ino == inode
    assert stored.path.stat().st_mode & 0o777 == 0o644
    assert (stored.size, stored.etag) == (7, hashlib.md5(b"weights").hexdigest())


def test_an_object_names_the_key_it_was_put_with(
    storage: Storage, objects: ScopedObjects, tmp_path: Path
) -> None:
    (tmp_path / "artifact").write_bytes(b"x")
    objects.put_file(BUCKET, "k", tmp_path / "artifact", kms_key_id="alias/mine")
    with serving_of(storage) as url:
        head = client(url, "s3").head_object(Bucket=BUCKET, Key="k")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/mine")


def test_a_file_stays_where_it_was_if_the_bucket_is_missing(
    objects: ScopedObjects, tmp_path: Path
) -> None:
    artifact = tmp_path / "artifact"
    artifact.write_bytes(b"weights")
    with pytest.raises(PermanentError, match="bucket 'no-bucket' does not exist"):
        objects.put_file("no-bucket", "k", artifact)
    assert artifact.exists()


def test_listing_is_by_prefix_and_in_key_order(objects: ScopedObjects) -> None:
    for key in ("b/2", "a", "b/10", "b", "ä", "c"):
        objects.put_bytes(BUCKET, key, key.encode())
    assert [info.key for info in objects.list(BUCKET, "b")] == ["b", "b/10", "b/2"]
    assert [info.key for info in objects.list(BUCKET)] == ["a", "b", "b/10", "b/2", "c", "ä"]
    assert list(objects.list("no-bucket")) == []


def test_synchronous_checks_see_what_is_there(objects: ScopedObjects) -> None:
    checks: Objects = objects
    objects.put_bytes(BUCKET, "a/b", b"")
    assert checks.bucket_exists(BUCKET)
    assert not checks.bucket_exists("no-bucket")
    assert checks.object_exists(BUCKET, "a/b")
    assert not checks.object_exists(BUCKET, "a/")
    assert not checks.object_exists("no-bucket", "a/b")
    assert checks.any_under(BUCKET, "a/")
    assert not checks.any_under(BUCKET, "z")
    assert not checks.any_under("no-bucket", "")


@pytest.mark.parametrize(
    "bucket, key, sentence",
    [
        ("no-bucket", "k", "The S3 bucket 'no-bucket' does not exist"),
        (BUCKET, "absent", "The S3 object 's3://data-bucket/absent' does not exist"),
    ],
)
def test_what_is_missing_is_named(
    objects: ScopedObjects, bucket: str, key: str, sentence: str
) -> None:
    for ask in (objects.body, objects.stat, objects.read_bytes):
        with pytest.raises(PermanentError) as error:
            ask(bucket, key)
        assert str(error.value) == sentence


def test_a_bucket_is_found_whoever_owns_it(storage: Storage, objects: ScopedObjects) -> None:
    theirs = storage.objects(Scope(OTHER_ACCOUNT, "us-east-1"))
    theirs.create_bucket_if_absent(BUCKET)
    theirs.put_bytes(BUCKET, "k", b"x")
    assert objects.read_bytes(BUCKET, "k") == b"x"


def test_a_removed_object_takes_its_body_along(objects: ScopedObjects) -> None:
    objects.put_bytes(BUCKET, "k", b"x")
    body = objects.body(BUCKET, "k")
    objects.delete(BUCKET, "k")
    objects.delete(BUCKET, "k")
    assert not body.exists()
    assert not objects.object_exists(BUCKET, "k")


def test_a_link_to_a_body_outlives_its_object(objects: ScopedObjects, tmp_path: Path) -> None:
    objects.put_bytes(BUCKET, "k", b"x")
    os.link(objects.body(BUCKET, "k"), tmp_path / "staged")
    objects.put_bytes(BUCKET, "k", b"y")
    assert (tmp_path / "staged").read_bytes() == b"x"
