"""Channels onto disk: from a real Storage, by links, and never outside."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.errors import PermanentError
from emulator.staging import Source, Staged, inputs, stage
from emulator.storage import ScopedObjects, Storage

BUCKET = "data-bucket"


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    storage = Storage(tmp_path_factory.mktemp("storage"))
    yield storage
    storage.close()


@pytest.fixture
def objects(storage: Storage) -> Iterator[ScopedObjects]:
    objects = storage.objects()
    objects.create_bucket_if_absent(BUCKET)
    yield objects
    storage.reset()


def put(objects: ScopedObjects, *keys: str) -> None:
    for key in keys:
        objects.put_bytes(BUCKET, key, key.encode())


def files(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_a_channel_is_linked_not_copied(objects: ScopedObjects, tmp_path: Path) -> None:
    put(objects, "p/train/a", "p/train/sub/b", "p/train/", "p/other")
    progress: list[Staged] = []
    staged = stage(
        objects, Source(f"s3://{BUCKET}/p/train"), tmp_path / "in", on_progress=progress.append
    )
    assert files(tmp_path / "in") == {"a": b"p/train/a", "sub/b": b"p/train/sub/b"}
    assert (tmp_path / "in/a").samefile(objects.body(BUCKET, "p/train/a"))
    assert staged == Staged(2, 22) == progress[-1]


def test_staging_twice_ends_in_the_newer_objects(objects: ScopedObjects, tmp_path: Path) -> None:
    put(objects, "p/a")
    stage(objects, Source(f"s3://{BUCKET}/p"), tmp_path)
    objects.put_bytes(BUCKET, "p/a", b"newer")
    stage(objects, Source(f"s3://{BUCKET}/p"), tmp_path)
    assert files(tmp_path) == {"a": b"newer"}


def test_another_file_system_gets_copies(
    objects: ScopedObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    put(objects, "p/a")
    monkeypatch.setattr(inputs.os, "link", refuse)
    stage(objects, Source(f"s3://{BUCKET}/p"), tmp_path)
    assert files(tmp_path) == {"a": b"p/a"}
    assert not (tmp_path / "a").samefile(objects.body(BUCKET, "p/a"))


def test_a_full_disk_is_said_to_be_full(
    objects: ScopedObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    put(objects, "p/a")
    monkeypatch.setattr(inputs.os, "link", refuse)
    with pytest.raises(PermanentError) as error:
        stage(objects, Source(f"s3://{BUCKET}/p"), tmp_path)
    assert str(error.value) == "ClientError: Data download failed:Insufficient disk space"


@pytest.mark.parametrize("hosts", [1, 2, 3, 7])
def test_shards_are_disjoint_complete_and_by_key_order(
    objects: ScopedObjects, tmp_path: Path, hosts: int
) -> None:
    keys = [f"p/{n:02}" for n in range(5)]
    put(objects, *reversed(keys))
    for host in range(hosts):
        source = Source(f"s3://{BUCKET}/p", distribution="ShardedByS3Key", host=host, hosts=hosts)
        stage(objects, source, tmp_path / str(host))
        assert sorted(files(tmp_path / str(host))) == [key[2:] for key in keys[host::hosts]]


def test_a_manifest_names_objects_and_their_paths(objects: ScopedObjects, tmp_path: Path) -> None:
    put(objects, "p/a", "p/sub/b", "p/not-listed")
    manifest = [{"prefix": f"s3://{BUCKET}/p/"}, "a", "sub/b"]
    objects.put_bytes(BUCKET, "m", json.dumps(manifest).encode())
    stage(objects, Source(f"s3://{BUCKET}/m", "ManifestFile"), tmp_path)
    assert sorted(files(tmp_path)) == ["a", "sub/b"]


@pytest.mark.parametrize(
    "spelt",
    [
        f"s3://{BUCKET}/",
        f"https://s3.us-west-2.amazonaws.com/{BUCKET}/",
        f"https://{BUCKET}.s3.amazonaws.com/",
    ],
)
def test_every_spelling_of_a_place_leads_to_its_objects(
    objects: ScopedObjects, tmp_path: Path, spelt: str
) -> None:
    put(objects, "p/a")
    objects.put_bytes(BUCKET, "m", json.dumps([{"prefix": f"{spelt}p/"}, "a"]).encode())
    for source in (Source(f"{spelt}p"), Source(f"{spelt}m", "ManifestFile")):
        stage(objects, source, tmp_path / source.data_type)
        assert files(tmp_path / source.data_type) == {"a": b"p/a"}


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"{}",
        b"[]",
        b'["a"]',
        b'[{"prefix": "x"}]',
        b'[{"prefix": 5}]',
        b'[{"prefix": "s3://data-bucket/"}, 1]',
        b"[" * 100_000,
    ],
)
def test_what_is_no_manifest_is_refused(
    objects: ScopedObjects, tmp_path: Path, manifest: bytes
) -> None:
    objects.put_bytes(BUCKET, "m", manifest)
    with pytest.raises(PermanentError, match=r"^ClientError: Data download failed:"):
        stage(objects, Source(f"s3://{BUCKET}/m", "ManifestFile"), tmp_path)


@pytest.mark.parametrize(
    "source, key",
    [
        (Source(f"s3://{BUCKET}/p//"), "p//a"),
        (Source(f"s3://{BUCKET}/p"), "p//a"),
        (Source(f"s3://{BUCKET}/p/"), "p//a"),
        (Source(f"s3://{BUCKET}/p/"), "p/sub//a"),
        (Source(f"s3://{BUCKET}/p//a"), "p//a"),
        (Source(f"s3://{BUCKET}/m", "ManifestFile"), "p//a"),
    ],
)
def test_two_slashes_in_a_key_fail_the_download(
    objects: ScopedObjects, tmp_path: Path, source: Source, key: str
) -> None:
    put(objects, key)
    objects.put_bytes(BUCKET, "m", json.dumps([{"prefix": f"s3://{BUCKET}/p/"}, "/a"]).encode())
    with pytest.raises(PermanentError) as error:
        stage(objects, source, tmp_path)
    assert str(error.value) == (
        "ClientError: Data download failed:Failed to download data. S3 key:"
        f" s3://{BUCKET}/{key} has an illegal char sub-sequence '//' in it"
    )


def test_the_marker_of_a_folder_without_a_name_is_no_file(
    objects: ScopedObjects, tmp_path: Path
) -> None:
    put(objects, "p/a", "p//")
    stage(objects, Source(f"s3://{BUCKET}/p/"), tmp_path)
    assert files(tmp_path) == {"a": b"p/a"}


@pytest.mark.parametrize(
    "source, sentence",
    [
        (Source("s3://no-bucket/p"), "The S3 bucket 'no-bucket' does not exist"),
        (Source(f"s3://{BUCKET}/none"), "No objects were found under"),
        (Source(f"s3://{BUCKET}/p", "AugmentedManifestFile"), "Pipe mode only"),
        (Source(f"s3://{BUCKET}/p", "Nonsense"), "Unknown S3DataType 'Nonsense'"),
        (Source("nonsense"), "is not a valid S3 URI"),
        (Source(f"s3://{BUCKET}/absent", "ManifestFile"), "does not exist"),
    ],
)
def test_what_cannot_be_staged_is_a_failure_reason(
    objects: ScopedObjects, tmp_path: Path, source: Source, sentence: str
) -> None:
    put(objects, "p/a")
    with pytest.raises(PermanentError, match=r"^ClientError: Data download failed:") as error:
        stage(objects, source, tmp_path)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    "keys",
    [
        ("p/../escape",),
        ("p//etc/passwd", "p/a//b"),
        ("p/a", "p/a/b"),
        ("p/a/b", "p/a"),
        ("p/a/b/c", "p/a/b"),
        ("p/x", "p//x"),
        ("p/.",),
    ],
    ids=str,
)
def test_nothing_is_written_for_keys_that_are_no_file_tree(
    objects: ScopedObjects, tmp_path: Path, keys: tuple[str, ...]
) -> None:
    put(objects, *keys)
    with pytest.raises(PermanentError, match=r"^ClientError: Data download failed:"):
        stage(objects, Source(f"s3://{BUCKET}/p/"), tmp_path / "in")
    assert files(tmp_path) == {}


def test_a_manifest_cannot_escape(objects: ScopedObjects, tmp_path: Path) -> None:
    put(objects, "p/../escape")
    manifest = [{"prefix": f"s3://{BUCKET}/p/"}, "../escape"]
    objects.put_bytes(BUCKET, "m", json.dumps(manifest).encode())
    with pytest.raises(PermanentError, match="not a valid file path"):
        stage(objects, Source(f"s3://{BUCKET}/m", "ManifestFile"), tmp_path / "in")
    assert files(tmp_path) == {}


def test_ten_thousand_objects_are_links_to_their_bodies(
    objects: ScopedObjects, tmp_path: Path
) -> None:
    put(objects, "p/first")
    body = objects.body(BUCKET, "p/first")

    class Many:
        """Ten thousand objects with one body."""

        def bucket_exists(self, bucket: str) -> bool:
            return True

        def list(self, bucket: str, prefix: str) -> Iterator[Any]:
            for n in range(10_000):
                info = objects.stat(BUCKET, "p/first")
                yield type(info)(f"p/{n % 100}/{n}", info.size, info.etag, body)

        def stat(self, bucket: str, key: str) -> Any:
            return objects.stat(bucket, key)

        def read_bytes(self, bucket: str, key: str) -> bytes:
            return objects.read_bytes(bucket, key)

    staged = stage(Many(), Source(f"s3://{BUCKET}/p"), tmp_path)
    assert staged.files == 10_000
    assert os.stat(body).st_nlink == 10_001
