"""Buckets of AWS's notebooks, served from a directory of the user's."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from storage_server import ACCOUNT, OTHER_ACCOUNT, client, serving_of

from emulator.call import Scope
from emulator.errors import PermanentError
from emulator.storage import Storage

FILES, EXAMPLES = "sagemaker-sample-files", "sagemaker-example-files-prod-eu-west-1"
SAMPLES = "sagemaker-sample-data-us-west-2"
SCOPE = Scope(ACCOUNT, "us-east-1")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def storage(tmp_path: Path, data: Path) -> Iterator[Storage]:
    storage = Storage(tmp_path / "storage", sample_data="bundled", data_buckets=data)
    yield storage
    storage.close()


@pytest.fixture
def s3(storage: Storage) -> Iterator[Any]:
    with serving_of(storage) as url:
        made = client(url, "s3", OTHER_ACCOUNT)
        yield made
        made.close()


def put(data: Path, name: str, content: str) -> Path:
    path = data / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [text for text in caplog.messages if "is AWS's and not here" in text]


@pytest.mark.parametrize(
    "bucket, folder",
    [
        (FILES, FILES),
        (EXAMPLES, EXAMPLES),
        (EXAMPLES, "sagemaker-example-files-prod"),
        (SAMPLES, SAMPLES),
        (SAMPLES, "sagemaker-sample-data"),
    ],
)
def test_a_file_is_an_object_when_it_is_asked_for(
    s3: Any, data: Path, caplog: pytest.LogCaptureFixture, bucket: str, folder: str
) -> None:
    name = {"Bucket": bucket, "Key": "batch-transform/kmeans/data.csv"}
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(**name)
    place = data / bucket / name["Key"]
    assert told(caplog) == [
        f"s3://{bucket}/{name['Key']} is AWS's and not here: put it at {place}, and it is served"
        " at once"
    ]
    with pytest.raises(ClientError):
        s3.head_object(**name)
    assert len(told(caplog)) == 1, "said once"
    put(data, f"{folder}/{name['Key']}", "1,2")
    assert s3.head_object(**name)["ContentLength"] == 3
    assert s3.get_object(**name)["Body"].read() == b"1,2"


def test_the_place_that_is_told_is_the_place(s3: Any, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ClientError):
        s3.get_object(Bucket=FILES, Key="datasets/tabular/x.csv")
    (text,) = told(caplog)
    path = Path(text.partition("put it at ")[2].partition(", and")[0])
    path.parent.mkdir(parents=True)
    path.write_text("x")
    assert s3.get_object(Bucket=FILES, Key="datasets/tabular/x.csv")["Body"].read() == b"x"


def test_a_listing_has_the_files_below_its_prefix(
    s3: Any, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a/1", "a/2", "ab/3", "b/4"):
        put(data, f"{FILES}/{name}", name)
    found = s3.list_objects_v2(Bucket=FILES, Prefix="a/")["Contents"]
    assert [entry["Key"] for entry in found] == ["a/1", "a/2"]
    put(data, f"{FILES}/a/0", "later")
    found = s3.list_objects(Bucket=FILES)["Contents"]
    assert [entry["Key"] for entry in found] == ["a/0", "a/1", "a/2", "ab/3", "b/4"]
    assert told(caplog) == []
    assert s3.list_objects_v2(Bucket=FILES, Prefix="none/")["KeyCount"] == 0
    assert len(told(caplog)) == 1


def test_copies_and_jobs_read_them_too(s3: Any, storage: Storage, data: Path) -> None:
    put(data, f"{FILES}/train/a.csv", "a")
    put(data, f"{FILES}/train/b.csv", "b")
    s3.create_bucket(Bucket="mine")
    s3.copy_object(Bucket="mine", Key="copy", CopySource=f"{FILES}/train/a.csv")
    assert s3.get_object(Bucket="mine", Key="copy")["Body"].read() == b"a"
    objects = storage.objects(SCOPE)
    put(data, f"{FILES}/model.tar.gz", "model")
    assert objects.object_exists(FILES, "model.tar.gz")
    assert objects.stat(FILES, "model.tar.gz").size == 5
    assert objects.read_bytes(FILES, "train/b.csv") == b"b"
    put(data, f"{FILES}/valid/c.csv", "c")
    assert objects.any_under(FILES, "valid/")
    assert [found.key for found in objects.list(FILES, "train/")] == ["train/a.csv", "train/b.csv"]


def test_the_file_is_the_users_and_the_object_is_not_changed_with_it(s3: Any, data: Path) -> None:
    path = put(data, f"{FILES}/x", "before")
    s3.get_object(Bucket=FILES, Key="x")
    with path.open("r+") as file:
        file.write("AFTER!")
    assert s3.get_object(Bucket=FILES, Key="x")["Body"].read() == b"before"
    s3.put_object(Bucket=FILES, Key="x", Body=b"mine")
    assert s3.get_object(Bucket=FILES, Key="x")["Body"].read() == b"mine"
    assert path.read_text() == "AFTER!"


@pytest.mark.parametrize("key", ["../secret", "a/../../secret", "/secret", "a//b", ".", "a/\0"])
def test_no_key_leads_out_of_its_folder(s3: Any, storage: Storage, data: Path, key: str) -> None:
    put(data, "secret", "secret")
    put(data, f"{FILES}/a/b", "b")
    objects = storage.objects(SCOPE)
    assert not objects.object_exists(FILES, key)
    with pytest.raises(PermanentError):
        objects.stat(FILES, key)
    with pytest.raises(ClientError):
        s3.get_object(Bucket=FILES, Key=key)


def test_a_file_that_can_be_no_object_costs_no_other(
    s3: Any, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(data, f"{FILES}/a", "a")
    with open(os.path.join(os.fsencode(data / FILES), b"lat\xe9in"), "w") as file:
        file.write("x")
    found = s3.list_objects_v2(Bucket=FILES)["Contents"]
    assert [entry["Key"] for entry in found] == ["a"]
    assert "lat\\xe9in" in caplog.text


def test_any_other_bucket_is_left_alone(
    s3: Any, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for bucket in ("sagemaker-sample-filesx", "mine", "sagemaker-example-files-prod-nowhere"):
        put(data, f"{bucket}/key", "x")
        with caplog.at_level(logging.DEBUG), pytest.raises(ClientError, match="NoSuchBucket"):
            s3.get_object(Bucket=bucket, Key="key")
    assert told(caplog) == []


def test_settings_of_the_bucket_are_no_listing(s3: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert s3.get_bucket_location(Bucket=EXAMPLES)["LocationConstraint"] == "eu-west-1"
    assert "LocationConstraint" in s3.get_bucket_location(Bucket=FILES)
    assert told(caplog) == []
