"""What S3 and Logs still know after SIGKILL."""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from storage_server import ACCOUNT, OTHER_ACCOUNT, client, killed_at_the_end, serving

from emulator.call import Scope
from emulator.logs import LogLine
from emulator.storage import records

BUCKET = "data-bucket"
PART = 5 * 1024 * 1024


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "storage"


def files(root: Path) -> list[Path]:
    return [path for path in (root / "s3" / "bodies").rglob("*") if path.is_file()]


def settings(s3: Any) -> Iterator[tuple[str, Any]]:
    """Yield how each setting of a bucket reads."""
    yield "versioning", s3.get_bucket_versioning(Bucket=BUCKET)["Status"]
    yield "tags", s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"]
    yield "policy", s3.get_bucket_policy(Bucket=BUCKET)["Policy"]
    yield "acl", s3.get_bucket_acl(Bucket=BUCKET)["Grants"]
    yield "cors", s3.get_bucket_cors(Bucket=BUCKET)["CORSRules"]
    yield "lifecycle", s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    yield "encryption", s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]
    yield "location", s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"]
    yield "created", s3.list_buckets()["Buckets"]


def configure(s3: Any) -> None:
    s3.create_bucket(
        Bucket=BUCKET,
        ACL="public-read",
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
    )
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.put_bucket_policy(Bucket=BUCKET, Policy='{"Version": "2012-10-17", "Statement": []}')
    s3.put_bucket_cors(
        Bucket=BUCKET,
        CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]},
    )
    expire = {"ID": "r", "Status": "Enabled", "Prefix": "x", "Expiration": {"Days": 3}}
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [expire]})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]})


def test_a_bucket_keeps_its_settings(root: Path) -> None:
    with killed_at_the_end(root) as url:
        s3 = client(url, "s3", region="eu-west-1")
        configure(s3)
        before = list(settings(s3))
    with serving(root) as served:
        assert list(settings(served.client("s3", region="eu-west-1"))) == before


def test_an_object_keeps_its_versions_markers_tags_and_metadata(root: Path) -> None:
    with killed_at_the_end(root) as url:
        s3 = client(url, "s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        first = s3.put_object(
            Bucket=BUCKET, Key="k", Body=b"1", Metadata={"m_n": "v"}, Tagging="a=b"
        )["VersionId"]
        s3.put_object(Bucket=BUCKET, Key="k", Body=b"2")
        s3.put_object_tagging(
            Bucket=BUCKET, Key="k", Tagging={"TagSet": [{"Key": "later", "Value": "tag"}]}
        )
        s3.put_object_acl(Bucket=BUCKET, Key="k", ACL="public-read")
        s3.delete_object(Bucket=BUCKET, Key="k")
        before = s3.list_object_versions(Bucket=BUCKET)
        head = s3.head_object(Bucket=BUCKET, Key="k", VersionId=first)
    with serving(root) as served:
        s3 = served.client("s3")
        after = s3.list_object_versions(Bucket=BUCKET)
        assert after["Versions"] == before["Versions"]
        assert after["DeleteMarkers"] == before["DeleteMarkers"]
        again = s3.head_object(Bucket=BUCKET, Key="k", VersionId=first)
        assert without_wire(again) == without_wire(head)
        assert tags(s3, first) == {"a": "b"}
        assert tags(s3, before["Versions"][0]["VersionId"]) == {"later": "tag"}
        assert s3.get_object(Bucket=BUCKET, Key="k", VersionId=first)["Body"].read() == b"1"


def without_wire(reply: Any) -> Any:
    return {name: value for name, value in reply.items() if name != "ResponseMetadata"}


def tags(s3: Any, version: str) -> dict[str, str]:
    found = s3.get_object_tagging(Bucket=BUCKET, Key="k", VersionId=version)["TagSet"]
    return {tag["Key"]: tag["Value"] for tag in found}


def test_an_upload_in_progress_goes_on_where_it_was(root: Path) -> None:
    parts = [os.urandom(PART), b"tail"]
    with killed_at_the_end(root) as url:
        s3 = client(url, "s3")
        s3.create_bucket(Bucket=BUCKET)
        named = {"Bucket": BUCKET, "Key": "big"}
        named["UploadId"] = s3.create_multipart_upload(
            **named, Metadata={"m": "v"}, ChecksumAlgorithm="SHA256"
        )["UploadId"]
        first = s3.upload_part(**named, PartNumber=1, Body=parts[0])["ETag"]
    with killed_at_the_end(root) as url:
        s3 = client(url, "s3")
        assert [part["ETag"] for part in s3.list_parts(**named)["Parts"]] == [first]
        second = s3.upload_part(**named, PartNumber=2, Body=parts[1])["ETag"]
        done = [{"PartNumber": 1, "ETag": first}, {"PartNumber": 2, "ETag": second}]
        s3.complete_multipart_upload(**named, MultipartUpload={"Parts": done})
    with serving(root) as served:
        reply = served.client("s3").get_object(Bucket=BUCKET, Key="big")
        assert (reply["Body"].read(), reply["Metadata"]) == (b"".join(parts), {"m": "v"})
        assert served.client("s3").list_multipart_uploads(Bucket=BUCKET).get("Uploads") is None
        assert len(files(root)) == 1


def test_every_object_that_was_acknowledged_before_a_kill_is_whole(root: Path) -> None:
    acknowledged: dict[str, bytes] = {}
    enough, process_ended = threading.Event(), threading.Event()

    def write(url: str, name: int) -> None:
        s3 = client(url, "s3")
        count = 0
        while not process_ended.is_set():
            key, body = f"{name}/{count % 7}", os.urandom(200_000)
            try:
                s3.put_object(Bucket=BUCKET, Key=key, Body=body)
                acknowledged[key] = body
                if count % 5 == 4:
                    acknowledged.pop(key)
                    s3.delete_object(Bucket=BUCKET, Key=key)
            except (BotoCoreError, ClientError):
                acknowledged.pop(key, None)  # either outcome is right for this one
                return
            count += 1
            if len(acknowledged) >= 15:
                enough.set()

    with killed_at_the_end(root) as url:
        client(url, "s3").create_bucket(Bucket=BUCKET)
        writers = [threading.Thread(target=write, args=(url, n)) for n in range(4)]
        for writer in writers:
            writer.start()
        assert enough.wait(60)
    process_ended.set()
    for writer in writers:
        writer.join()
    with serving(root) as served:
        objects = served.storage.objects()
        for key, body in acknowledged.items():
            assert objects.read_bytes(BUCKET, key) == body
        for info in objects.list(BUCKET):
            assert info.path.stat().st_size == info.size
        assert len(files(root)) == len(list(objects.list(BUCKET))), "orphans are removed"


def test_a_deleted_bucket_stays_deleted(root: Path) -> None:
    with killed_at_the_end(root) as url:
        s3 = client(url, "s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="k", Body=b"1")
        s3.delete_object(Bucket=BUCKET, Key="k")
        s3.delete_bucket(Bucket=BUCKET)
    with serving(root) as served:
        assert served.client("s3").list_buckets()["Buckets"] == []
        assert files(root) == []


def test_a_bucket_stays_with_its_account(root: Path) -> None:
    with killed_at_the_end(root) as url:
        client(url, "s3", OTHER_ACCOUNT).create_bucket(Bucket=BUCKET)
    with serving(root) as served:
        assert served.client("s3", ACCOUNT).list_buckets()["Buckets"] == []
        theirs = served.client("s3", OTHER_ACCOUNT).list_buckets()["Buckets"]
        assert [bucket["Name"] for bucket in theirs] == [BUCKET]


def test_reset_is_durable_too(root: Path) -> None:
    scope = Scope(ACCOUNT, "us-east-1")
    with serving(root) as served:
        objects = served.storage.objects(scope)
        objects.create_bucket_if_absent(BUCKET)
        objects.put_bytes(BUCKET, "k", b"1")
        served.storage.put_log_lines(scope, "/g", "s", [LogLine(1.0, "x")])
        served.storage.reset()
    with serving(root) as served:
        assert not served.storage.objects(scope).bucket_exists(BUCKET)
        assert served.client("logs").describe_log_groups()["logGroups"] == []
        assert files(root) == []


def test_log_lines_come_back(root: Path) -> None:
    scope = Scope(ACCOUNT, "eu-west-1")
    with serving(root) as served:
        lines = [LogLine(1_600_000_000 + n, f"line\t{n}") for n in range(3)]
        served.storage.put_log_lines(scope, "/aws/sagemaker/TrainingJobs", "j/algo-1", lines)
    with serving(root) as served:
        logs = served.client("logs", region="eu-west-1")
        events = logs.get_log_events(
            logGroupName="/aws/sagemaker/TrainingJobs", logStreamName="j/algo-1"
        )["events"]
        assert [event["message"] for event in events] == ["line\t0", "line\t1", "line\t2"]
        logs.delete_log_group(logGroupName="/aws/sagemaker/TrainingJobs")
    with serving(root) as served:
        groups = served.client("logs", region="eu-west-1").describe_log_groups()["logGroups"]
        assert groups == []


def test_metric_values_come_back(root: Path) -> None:
    scope = Scope(ACCOUNT, "eu-west-1")
    with serving(root) as served:
        served.storage.put_metric(scope, "space", "loss", 0.5, 1_700_000_000, {"Job": "j"})
    with serving(root) as served:
        metrics = served.client("cloudwatch", region="eu-west-1").list_metrics()["Metrics"]
        dimensions = [{"Name": "Job", "Value": "j"}]
        assert {"Namespace": "space", "MetricName": "loss", "Dimensions": dimensions} in metrics


def test_a_second_storage_is_refused_until_the_first_is_closed(root: Path) -> None:
    with serving(root) as served, pytest.raises(RuntimeError, match="another Storage"):
        type(served.storage)(root)
    with serving(root):
        pass


@pytest.mark.parametrize("foreign", [os.system, subprocess.Popen, signal.Signals, Path("/x")])
def test_the_index_cannot_bring_in_foreign_code(foreign: Any) -> None:
    with pytest.raises(pickle.UnpicklingError):
        records.load(pickle.dumps(foreign))


def test_importing_storage_imports_no_moto() -> None:
    code = "import sys, emulator.storage; sys.exit('moto' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_listing_goes_on_after_a_restart(root: Path) -> None:
    keys = [f"é/{number}" for number in range(5)]
    with serving(root) as served:
        s3 = served.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        for key in keys:
            s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
        first = s3.list_objects_v2(Bucket=BUCKET, MaxKeys=2)
    with serving(root) as served:
        s3 = served.client("s3")
        rest = s3.list_objects_v2(Bucket=BUCKET, ContinuationToken=first["NextContinuationToken"])
        marked = s3.list_objects(Bucket=BUCKET, MaxKeys=2)
    assert [o["Key"] for o in first["Contents"] + rest["Contents"]] == keys
    assert marked["NextMarker"] == keys[1]
