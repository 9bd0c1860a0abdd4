"""What a channel streams, over real storage (contract B9)."""

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.call import Scope
from emulator.errors import PermanentError
from emulator.staging import recordio
from emulator.staging.inputs import Source
from emulator.staging.streams import BLOCK, Stream, Stretch, order
from emulator.storage import ScopedObjects, Storage

LARGE = random.Random(1).randbytes(3 * BLOCK + 5)
MARKED = LARGE[:BLOCK] + recordio.MAGIC + LARGE[BLOCK + 4 :] + recordio.MAGIC
BODIES = {"in/a": b"one", "in/b": b"", "in/c": b"three"}


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScopedObjects]:
    storage = Storage(tmp_path_factory.mktemp("storage"))
    objects = storage.objects(Scope("123456789012", "us-east-1"))
    objects.create_bucket_if_absent("data")
    for key, body in {
        **BODIES,
        "in/folder/": b"",
        "large/x": MARKED,
        "zipped/a": gzip.compress(b"one") + gzip.compress(b" and a half"),
        "zipped/b": gzip.compress(MARKED),
        "cut/a": gzip.compress(LARGE)[:-20],
        "manifest": b'[{"prefix": "s3://data/in/"}, "c", "a", "c"]',
        "lines": b"\n".join(
            json.dumps(line).encode()
            for line in (
                {"image-ref": "s3://data/in/c", "label": 1, "else": 2},
                {"label": {"x": "é"}, "image-ref": "s3://data/in/a"},
            )
        ),
        "empty": b"\n",
        "odd-text": b'{"text": "\\ud800"}\n\n {"text": [null, 1e3, "\\u00e9"]} \n',
        "deep": b"[" * 100_000,
        "bad-ref": b'{"image-ref": 5, "label": 1}',
    }.items():
        objects.put_bytes("data", key, body)
    yield objects
    storage.close()


def streamed(
    objects: ScopedObjects,
    uri: str,
    data_type: str = "S3Prefix",
    names: tuple[str, ...] = (),
    epoch: int = 0,
    **members: Any,
) -> bytes:
    source = {"S3DataType": data_type, "S3Uri": f"s3://data/{uri}", "AttributeNames": names}
    stream = Stream(objects, {"DataSource": {"S3DataSource": source}, **members})
    sent = []
    for piece in stream.epoch(epoch):
        if isinstance(piece, Stretch):
            position = piece.file.tell()
            piece.file.seek(piece.start)
            sent.append(piece.file.read(piece.stop - piece.start))
            piece.file.seek(position)
        else:
            sent.append(piece)
    stream.close()
    return b"".join(sent)


def records(*payloads: bytes) -> bytes:
    return b"".join(map(recordio.record, payloads))


GZIP = {"CompressionType": "Gzip"}
RECORDS = {"RecordWrapperType": "RecordIO"}
LINES = ("AugmentedManifestFile", ("image-ref", "label"))


def test_objects_follow_each_other_in_the_order_of_keys_or_of_the_manifest(
    objects: ScopedObjects,
) -> None:
    assert streamed(objects, "in/") == b"onethree"
    assert streamed(objects, "manifest", "ManifestFile") == b"threeonethree"
    assert streamed(objects, "large/") == MARKED


def test_objects_are_wrapped_as_records(objects: ScopedObjects) -> None:
    assert streamed(objects, "in/", **RECORDS) == records(b"one", b"", b"three")
    assert streamed(objects, "large/", **RECORDS) == records(MARKED)


def test_objects_are_decompressed_and_then_wrapped(objects: ScopedObjects) -> None:
    assert streamed(objects, "zipped/", **GZIP) == b"one and a half" + MARKED
    wrapped = streamed(objects, "zipped/", **GZIP, **RECORDS)
    assert wrapped == records(b"one and a half", MARKED)


def test_attributes_come_in_the_order_asked_for(objects: ScopedObjects) -> None:
    label = '{"x": "é"}'.encode()
    assert streamed(objects, "lines", *LINES) == b"three1one" + label
    assert streamed(objects, "lines", *LINES, **RECORDS) == records(b"three", b"1", b"one", label)
    other = ("AugmentedManifestFile", ("label", "image-ref"))
    assert streamed(objects, "lines", *other, **RECORDS) == records(b"1", b"three", label, b"one")


def test_any_json_comes_as_its_text(objects: ScopedObjects) -> None:
    sent = streamed(objects, "odd-text", "AugmentedManifestFile", ("text",))
    assert sent == b'"\\ud800"' + '[null, 1000.0, "é"]'.encode()


@pytest.mark.parametrize(
    "uri, data_type, members, reason",
    [
        ("nothing/", "S3Prefix", {}, "No objects were found under 's3://data/nothing/'"),
        ("cut/", "S3Prefix", GZIP, "The object 's3://data/cut/a' is not a gzip file"),
        ("in/a", "S3Prefix", GZIP, "The object 's3://data/in/a' is not a gzip file"),
        ("in/a", "ManifestFile", {}, "'s3://data/in/a' is not a valid manifest file"),
        ("absent", "AugmentedManifestFile", {}, "The S3 object 's3://data/absent' does not exist"),
        ("empty", "AugmentedManifestFile", {}, "The augmented manifest 's3://data/empty' has no"),
        ("in/a", "AugmentedManifestFile", {}, "There is no JSON object on line 1 of the"),
        ("deep", "AugmentedManifestFile", {}, "There is no JSON object on line 1 of the"),
        ("bad-ref", "AugmentedManifestFile", {}, "'5' is not a valid S3 URI, on line 1 of the"),
    ],
)
def test_what_cannot_be_streamed_says_why(
    objects: ScopedObjects, uri: str, data_type: str, members: dict[str, str], reason: str
) -> None:
    with pytest.raises(PermanentError) as raised:
        streamed(objects, uri, data_type, ("image-ref",), **members)
    assert str(raised.value).startswith(f"ClientError: Data download failed:{reason}")


def test_an_object_too_large_for_a_record_is_refused_before_it_is_read(
    objects: ScopedObjects, tmp_path: Path
) -> None:
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(recordio.LONGEST + 1)
    objects.put_file("data", "huge/x", sparse)
    with pytest.raises(PermanentError, match=r"'s3://data/huge/x' has more than the 536870911"):
        streamed(objects, "huge/", **RECORDS)


def test_shuffling_is_another_order_each_epoch_and_the_same_each_time(
    objects: ScopedObjects,
) -> None:
    seeded = {"ShuffleConfig": {"Seed": 5}, **RECORDS}
    epochs = [streamed(objects, "in/", epoch=number, **seeded) for number in range(12)]
    assert len(set(epochs)) > 3
    assert all(len(epoch) == len(epochs[0]) for epoch in epochs)
    assert [streamed(objects, "in/", epoch=n, **seeded) for n in range(12)] == epochs
    lines = {streamed(objects, "lines", *LINES, epoch=number, **seeded) for number in range(12)}
    assert len(lines) == 2


@pytest.mark.parametrize("seed", [None, 0, 11])
def test_shares_are_equal_and_never_overlap(seed: int | None) -> None:
    for epoch in range(3):
        shares = [
            order(
                10, Source("s3://b", distribution="ShardedByS3Key", host=host, hosts=3), seed, epoch
            )
            for host in range(3)
        ]
        assert sorted(number for share in shares for number in share) == list(range(10))
        assert [len(share) for share in shares] == [4, 3, 3]
    whole = order(10, Source("s3://b", host=1, hosts=3), seed, 0)
    assert sorted(whole) == list(range(10))
