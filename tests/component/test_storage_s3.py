"""S3 over HTTP, seen by boto3: keys, reads, listings, versions, accounts."""

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from storage_server import ACCOUNT, OTHER_ACCOUNT, Served, serving

from emulator.call import Scope

PART = 5 * 1024 * 1024


BUCKET = "data-bucket"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("storage")) as served:
        yield served


@pytest.fixture
def s3(served: Served) -> Iterator[Any]:
    client = served.client("s3")
    client.create_bucket(Bucket=BUCKET)
    yield client
    served.storage.reset()
    client.close()


def assert_refused(error: Any, code: str, status: int) -> None:
    assert error.value.response["Error"]["Code"] == code
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def bodies(served: Served) -> list[Path]:
    return [path for path in (served.storage.root / "s3" / "bodies").rglob("*") if path.is_file()]


KEYS = [
    "plain",
    "a/b/c.txt",
    "space in name",
    "plus+sign",
    "percent%20literal",
    "100%",
    "ünïcode/日本語.txt",
    "emoji-😀",
    "double//slash",
    "/leading-slash",
    "//two-leading",
    "..",
    "../up",
    "a/../b",
    ".",
    "./here",
    "folder/",
    "question?mark&ampersand=1",
    "hash#tag;semi:colon@at,comma",
    "quote'\"<xml>&amp;",
    "back\\slash",
    "a.amazonaws.com/x",
    "tilde~star*bang!(paren)",
    "é" * 512,
    "k" * 1024,
]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: ascii(key[:24]))
def test_a_key_of_any_shape_is_written_listed_read_and_removed(s3: Any, key: str) -> None:
    body = key.encode()
    s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body
    assert s3.head_object(Bucket=BUCKET, Key=key)["ContentLength"] == len(body)
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == [key]
    s3.delete_object(Bucket=BUCKET, Key=key)
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET)


def test_metadata_names_keep_underscores_and_dashes(s3: Any) -> None:
    metadata = {"my_key": "1", "my-other-key": "2"}
    s3.put_object(Bucket=BUCKET, Key="k", Metadata=metadata, ContentType="text/x")
    head = s3.head_object(Bucket=BUCKET, Key="k")
    assert head["Metadata"] == metadata
    assert head["ContentType"] == "text/x"


def test_a_replaced_object_leaves_no_body_behind(s3: Any, served: Served) -> None:
    for body in (b"one", b"two", b"three"):
        s3.put_object(Bucket=BUCKET, Key="k", Body=body)
    assert [path.read_bytes() for path in bodies(served)] == [b"three"]
    s3.delete_object(Bucket=BUCKET, Key="k")
    assert bodies(served) == []


@pytest.mark.parametrize(
    "asked, expected",
    [
        ("bytes=0-0", b"0"),
        ("bytes=2-4", b"234"),
        ("bytes=7-", b"789"),
        ("bytes=-2", b"89"),
        ("bytes=5-99", b"56789"),
        ("bytes=0-9", b"0123456789"),
    ],
)
def test_a_range_is_read_from_the_file(s3: Any, asked: str, expected: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"0123456789")
    reply = s3.get_object(Bucket=BUCKET, Key="k", Range=asked)
    assert reply["Body"].read() == expected
    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_a_range_beyond_the_end_is_refused(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"0123456789")
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=BUCKET, Key="k", Range="bytes=10-")
    assert_refused(error, "InvalidRange", 416)


@pytest.mark.parametrize("host", ["emulator", "emu.lator.example", "10.0.0.7:4610", "s3.local:1"])
def test_the_host_header_never_matters(s3: Any, served: Served, host: str) -> None:
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"data")
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    connection.request("GET", f"/{BUCKET}/k", headers={"Host": host})
    assert connection.getresponse().read() == b"data"
    connection.close()


def test_an_unsigned_client_reads_and_writes(s3: Any, served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    connection.request("PUT", f"/{BUCKET}/anonymous", b"data")
    reply = connection.getresponse()
    assert (reply.status, reply.read()) == (200, b"")
    connection.request("GET", f"/{BUCKET}/anonymous")
    assert connection.getresponse().read() == b"data"
    connection.close()


def test_a_presigned_url_works(s3: Any, served: Served) -> None:
    params = {"Bucket": BUCKET, "Key": "pre signed"}
    for operation, method, body in [("put_object", "PUT", b"x"), ("get_object", "GET", None)]:
        url = s3.generate_presigned_url(operation, Params=params)
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
        connection.request(method, url.partition(str(served.port))[2], body)
        reply = connection.getresponse()
        assert (reply.status, reply.read()) == (200, b"" if method == "PUT" else b"x")
        connection.close()


def test_a_listing_goes_on_page_by_page(s3: Any, served: Served) -> None:
    objects = served.storage.objects()
    keys = sorted(f"{n % 7}/{n:04}" for n in range(1100))
    for key in keys:
        objects.put_bytes(BUCKET, key, b"")
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET))
    assert [o["Key"] for page in pages for o in page["Contents"]] == keys
    assert len(pages) == 2
    folders = s3.list_objects_v2(Bucket=BUCKET, Delimiter="/")["CommonPrefixes"]
    assert [folder["Prefix"] for folder in folders] == [f"{n}/" for n in range(7)]
    doomed = {"Objects": [{"Key": key} for key in keys[:1000]], "Quiet": True}
    s3.delete_objects(Bucket=BUCKET, Delete=doomed)
    assert [info.key for info in objects.list(BUCKET)] == keys[1000:]


def test_versions_and_delete_markers_are_kept_apart(s3: Any) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    ids = [s3.put_object(Bucket=BUCKET, Key="k", Body=b)["VersionId"] for b in (b"1", b"2")]
    s3.delete_object(Bucket=BUCKET, Key="k")
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=BUCKET, Key="k")
    assert_refused(error, "NoSuchKey", 404)
    for version, body in zip(ids, (b"1", b"2"), strict=True):
        reply = s3.get_object(Bucket=BUCKET, Key="k", VersionId=version)
        assert reply["Body"].read() == body


def test_a_suspended_bucket_with_a_delete_marker_can_be_written_and_emptied(s3: Any) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"1")
    s3.delete_object(Bucket=BUCKET, Key="k")
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    s3.delete_object(Bucket=BUCKET, Key="k")
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_accounts_share_one_name_space_of_buckets(s3: Any, served: Served) -> None:
    other = served.client("s3", OTHER_ACCOUNT, "eu-west-1")
    assert other.list_buckets()["Buckets"] == []
    with pytest.raises(ClientError) as error:
        other.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
    assert_refused(error, "BucketAlreadyExists", 409)
    other.put_object(Bucket=BUCKET, Key="theirs", Body=b"x")
    assert s3.get_object(Bucket=BUCKET, Key="theirs")["Body"].read() == b"x"
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == [BUCKET]
    other.close()


@pytest.mark.parametrize(
    "operation, arguments, code, status",
    [
        ("get_object", {"Bucket": BUCKET, "Key": "no"}, "NoSuchKey", 404),
        ("get_object", {"Bucket": "no-such-bucket", "Key": "k"}, "NoSuchBucket", 404),
        ("put_object", {"Bucket": "no-such-bucket", "Key": "k"}, "NoSuchBucket", 404),
        ("head_bucket", {"Bucket": "no-such-bucket"}, "404", 404),
        ("get_bucket_policy", {"Bucket": BUCKET}, "NoSuchBucketPolicy", 404),
    ],
)
def test_what_is_missing_is_said_as_s3_says_it(
    s3: Any, served: Served, operation: str, arguments: dict[str, str], code: str, status: int
) -> None:
    with pytest.raises(ClientError) as error:
        getattr(s3, operation)(**arguments)
    assert_refused(error, code, status)
    assert bodies(served) == []


def test_a_bucket_with_objects_cannot_be_deleted(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="k")
    with pytest.raises(ClientError) as error:
        s3.delete_bucket(Bucket=BUCKET)
    assert_refused(error, "BucketNotEmpty", 409)
    reply = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "k"}]})
    assert [deleted["Key"] for deleted in reply["Deleted"]] == ["k"]
    s3.delete_bucket(Bucket=BUCKET)
    assert s3.list_buckets()["Buckets"] == []


def test_what_http_wrote_the_emulator_reads_in_process_and_back(s3: Any, served: Served) -> None:
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"over http")
    objects = served.storage.objects(Scope(ACCOUNT, "us-east-1"))
    assert objects.body(BUCKET, "k").read_bytes() == b"over http"
    objects.put_bytes(BUCKET, "back", b"in process", content_type="text/plain")
    reply = s3.get_object(Bucket=BUCKET, Key="back")
    assert (reply["Body"].read(), reply["ContentType"]) == (b"in process", "text/plain")
