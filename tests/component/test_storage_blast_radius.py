"""One object, line or setting that can't be kept fails its writer; everything else is served.

SQLite refuses by a trigger of the test's own or for want of pages, so its errors are real ones.
"""

import errno
import http.client
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from storage_server import ACCOUNT, REGION, Served, serving

from emulator.call import Scope
from emulator.errors import PermanentError
from emulator.logs import LogLine
from emulator.storage import receive

BUCKET, OTHER = "data-bucket", "other-bucket"
SCOPE = Scope(ACCOUNT, REGION)
GROUP, STREAM, NAMESPACE = "/aws/sagemaker/TrainingJobs", "job/algo-1", "metrics"
PART = 5 * 1024 * 1024
NOT_UTF8 = os.fsdecode(b"lat\xe9in")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
def served(root: Path) -> Iterator[Served]:
    with serving(root) as served:
        s3 = served.client("s3")
        for bucket in (BUCKET, OTHER):
            s3.create_bucket(Bucket=bucket)
            s3.put_object(Bucket=bucket, Key="kept", Body=b"before", Tagging="a=b")
        yield served


def connection(served: Served, part: str) -> Any:
    """Return the SQLite connection of a part of storage."""
    parts: Any = served.storage._parts.result()
    return parts.s3._ledger._index._connection if part == "s3" else getattr(parts, part)._connection


def files(root: Path) -> list[bytes]:
    return sorted(p.read_bytes() for p in (root / "s3" / "bodies").rglob("*") if p.is_file())


def assert_all_else_is_served(served: Served) -> None:
    """Check reads and writes of both buckets, log streams, metrics and another service."""
    s3, logs = served.client("s3"), served.client("logs")
    for bucket in (BUCKET, OTHER):
        assert s3.get_object(Bucket=bucket, Key="kept")["Body"].read() == b"before"
        tags = s3.get_object_tagging(Bucket=bucket, Key="kept")["TagSet"]
        assert tags == [{"Key": "a", "Value": "b"}]
        s3.put_object(Bucket=bucket, Key="another", Body=b"new")
        assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [
            "another",
            "kept",
        ]
        s3.delete_object(Bucket=bucket, Key="another")
    lines = len(shown(served))
    served.storage.put_log_lines(SCOPE, GROUP, STREAM, [LogLine(9.0, "a line")])
    served.storage.put_metric(SCOPE, NAMESPACE, "loss", 0.5, 1.0, {})
    assert shown(served)[lines:] == ["a line"]
    assert logs.describe_log_groups()["logGroups"]
    assert served.client("sts").get_caller_identity()["Account"] == ACCOUNT


def shown(served: Served) -> list[str]:
    logs = served.client("logs")
    if not logs.describe_log_groups()["logGroups"]:
        return []
    events = logs.get_log_events(logGroupName=GROUP, logStreamName=STREAM, startFromHead=True)[
        "events"
    ]
    return [event["message"] for event in events]


@pytest.mark.parametrize("write", ["bytes", "file"])
def test_a_file_name_that_is_not_utf8_fails_its_writer_alone(
    served: Served, root: Path, tmp_path: Path, write: str
) -> None:
    objects = served.storage.objects(SCOPE)
    file = tmp_path / NOT_UTF8
    file.write_bytes(b"weights")
    put, what = (objects.put_file, file) if write == "file" else (objects.put_bytes, b"weights")
    with pytest.raises(PermanentError, match=r"^The file name 'model/lat\\xe9in' is not UTF-8$"):
        put(BUCKET, f"model/{NOT_UTF8}", what)
    assert file.exists(), "what can't be stored stays with its owner"
    assert_all_else_is_served(served)
    assert files(root) == [b"before", b"before"]


def test_what_gets_past_every_check_still_fails_its_writer_alone(served: Served) -> None:
    s3: Any = served.storage._parts.result().s3
    with pytest.raises(PermanentError), s3.changing():
        s3.backend(SCOPE).put_object(BUCKET, NOT_UTF8, b"poison")
    assert_all_else_is_served(served)


@pytest.mark.parametrize("path", ["lat%E9in", "%FF", "a/%C3", "%ED%B3%A9"])
def test_a_key_in_a_url_that_is_not_utf8_is_refused(served: Served, path: str) -> None:
    client = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    for method, body in (("PUT", b"x"), ("GET", None), ("DELETE", None)):
        client.request(method, f"/{BUCKET}/{path}", body)
        reply = client.getresponse()
        assert reply.status == 400
        assert b"<Code>InvalidURI</Code>" in reply.read()
    client.close()
    assert_all_else_is_served(served)


def put(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="kept", Body=b"after")


def put_new(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="new", Body=b"after")


def delete(s3: Any) -> None:
    s3.delete_object(Bucket=BUCKET, Key="kept")


def delete_several(s3: Any) -> None:
    keys = [{"Key": "kept"}, {"Key": "none"}]
    assert "Errors" not in s3.delete_objects(Bucket=BUCKET, Delete={"Objects": keys})


def copy(s3: Any) -> None:
    s3.copy_object(Bucket=BUCKET, Key="kept", CopySource={"Bucket": OTHER, "Key": "kept"})


def tag(s3: Any) -> None:
    tags = {"TagSet": [{"Key": "other", "Value": "tag"}]}
    s3.put_object_tagging(Bucket=BUCKET, Key="kept", Tagging=tags)


def join(s3: Any) -> None:
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="new")["UploadId"]
    name = {"Bucket": BUCKET, "Key": "new", "UploadId": upload}
    etag = s3.upload_part(**name, PartNumber=1, Body=b"part")["ETag"]
    s3.complete_multipart_upload(
        **name, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]}
    )


def begin_upload(s3: Any) -> None:
    s3.create_multipart_upload(Bucket=BUCKET, Key="kept")


def create_bucket(s3: Any) -> None:
    s3.create_bucket(Bucket="new-bucket")


def configure_bucket(s3: Any) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})


def tag_bucket(s3: Any) -> None:
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "x", "Value": "y"}]})


def delete_bucket(s3: Any) -> None:
    s3.delete_bucket(Bucket="empty-bucket")


CHANGES = [
    (put, "INSERT ON objects"),
    (put_new, "INSERT ON objects"),
    (delete, "DELETE ON objects"),
    (delete_several, "DELETE ON objects"),
    (copy, "INSERT ON objects"),
    (tag, "INSERT ON objects"),
    (join, "INSERT ON objects"),
    (begin_upload, "INSERT ON uploads"),
    (create_bucket, "INSERT ON buckets"),
    (configure_bucket, "INSERT ON buckets"),
    (tag_bucket, "INSERT ON buckets"),
    (delete_bucket, "DELETE ON buckets"),
]


@pytest.mark.parametrize("change, on", CHANGES, ids=lambda value: getattr(value, "__name__", ""))
def test_what_the_index_refuses_has_not_happened(
    served: Served, root: Path, change: Callable[[Any], None], on: str
) -> None:
    s3 = served.client("s3")
    s3.create_bucket(Bucket="empty-bucket")
    index = connection(served, "s3")
    index.execute(f"CREATE TRIGGER refuse BEFORE {on} BEGIN SELECT RAISE(ABORT, 'broken'); END")
    with pytest.raises(ClientError) as error:
        change(s3)
    assert error.value.response["Error"] == {
        "Code": "InternalError",
        "Message": "Nothing was stored: broken",
    }
    index.execute("DROP TRIGGER refuse")
    if change is join:
        # The upload itself is unharmed, and can be completed again.
        (upload,) = s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
        name = {"Bucket": BUCKET, "Key": "new", "UploadId": upload["UploadId"]}
        assert [part["PartNumber"] for part in s3.list_parts(**name)["Parts"]] == [1]
        s3.abort_multipart_upload(**name)
    assert_unchanged(served, root)


def assert_unchanged(served: Served, root: Path) -> None:
    s3 = served.client("s3")
    found = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    assert found == {BUCKET, "empty-bucket", OTHER}
    assert "Status" not in s3.get_bucket_versioning(Bucket=BUCKET)
    with pytest.raises(ClientError, match="NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=BUCKET)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)
    assert_all_else_is_served(served)
    assert files(root) == [b"before", b"before"]


def test_nothing_acknowledged_is_lost_by_what_was_refused(root: Path) -> None:
    with serving(root) as served:
        s3 = served.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="kept", Body=b"before")
        with pytest.raises(PermanentError):
            served.storage.objects(SCOPE).put_bytes(BUCKET, NOT_UTF8, b"poison")
        s3.put_object(Bucket=BUCKET, Key="later", Body=b"later")
    with serving(root) as served:
        s3 = served.client("s3")
        for key in ("kept", "later"):
            assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert files(root) == [b"before", b"later"]


def test_a_full_disk_refuses_writes_and_nothing_else(served: Served, root: Path) -> None:
    s3, refusals = served.client("s3"), []
    index = connection(served, "s3")
    (pages,) = index.execute("PRAGMA page_count").fetchone()
    index.execute(f"PRAGMA max_page_count = {pages + 8}")
    for number in range(200):
        try:
            s3.put_object(Bucket=OTHER, Key=f"{number:03}", Body=b"x", Metadata={"m": "x" * 1500})
        except ClientError as error:
            refusals.append(error.response)
            if len(refusals) == 3:
                break
    assert {refusal["Error"]["Code"] for refusal in refusals} == {"InsufficientStorage"}
    assert {r["ResponseMetadata"]["HTTPStatusCode"] for r in refusals} == {507}
    with pytest.raises(PermanentError, match=r"^Insufficient disk space$"):
        served.storage.objects(SCOPE).put_bytes(BUCKET, "k" * 1000, b"x" * 5000)
    taken = [o["Key"] for o in s3.list_objects_v2(Bucket=OTHER)["Contents"]]
    assert len(files(root)) == len(taken) + 1
    index.execute("PRAGMA max_page_count = 1000000")
    s3.delete_objects(
        Bucket=OTHER, Delete={"Objects": [{"Key": key} for key in taken if key != "kept"]}
    )
    assert_all_else_is_served(served)


def test_a_disk_that_is_full_for_a_body_is_told_as_such(
    served: Served, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/host/path")

    monkeypatch.setattr(receive, "_write_all", full)
    with pytest.raises(ClientError, match="Insufficient disk space") as error:
        put(served.client("s3"))
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 507
    monkeypatch.undo()
    assert_all_else_is_served(served)
    assert files(root) == [b"before", b"before"]


@pytest.mark.parametrize("table", ["objects", "buckets"])
def test_a_row_that_cannot_be_read_costs_no_other_and_no_body(
    root: Path, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(root) as served:
        s3 = served.client("s3")
        for bucket in (BUCKET, OTHER):
            s3.create_bucket(Bucket=bucket)
            s3.put_object(Bucket=bucket, Key="kept", Body=b"before")
        s3.put_object(Bucket=BUCKET, Key="torn", Body=b"torn")
        column, name = ("key", "torn") if table == "objects" else ("name", BUCKET)
        connection(served, "s3").execute(
            f"UPDATE {table} SET state = x'00' WHERE {column} = ?", (name,)
        )
    with caplog.at_level(logging.ERROR), serving(root) as served:
        s3 = served.client("s3")
        assert s3.get_object(Bucket=OTHER, Key="kept")["Body"].read() == b"before"
        if table == "objects":
            assert s3.get_object(Bucket=BUCKET, Key="kept")["Body"].read() == b"before"
    assert name in caplog.text
    assert files(root) == [b"before", b"before", b"torn"]


def test_lines_that_cannot_be_kept_are_shown(served: Served) -> None:
    storage = served.storage
    storage.put_log_lines(SCOPE, GROUP, STREAM, [LogLine(1.0, "first")])
    for part, table in (("streams", "lines"), ("metrics", "metric_values")):
        connection(served, part).execute(
            f"CREATE TRIGGER refuse BEFORE INSERT ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'broken'); END"
        )
    storage.put_log_lines(SCOPE, GROUP, STREAM, [LogLine(2.0, "second")])
    storage.put_metric(SCOPE, NAMESPACE, "loss", 0.5, 2.0, {})
    for part in ("streams", "metrics"):
        connection(served, part).execute("DROP TRIGGER refuse")
    storage.put_log_lines(SCOPE, GROUP, STREAM, [LogLine(3.0, f"third {NOT_UTF8}")])
    assert shown(served) == ["first", "second", "third lat?in"]
    found = served.client("cloudwatch").list_metrics(Namespace=NAMESPACE)["Metrics"]
    assert [metric["MetricName"] for metric in found] == ["loss"]
    assert_all_else_is_served(served)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_metric_value_that_is_no_number_is_dropped(served: Served, value: float) -> None:
    served.storage.put_metric(SCOPE, NAMESPACE, "loss", value, 1.0, {})
    assert served.client("cloudwatch").list_metrics(Namespace=NAMESPACE)["Metrics"] == []
    assert_all_else_is_served(served)
