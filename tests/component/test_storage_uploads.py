"""Uploads over HTTP, seen by boto3: parts, framing, digests, copies, concurrency."""

import base64
import concurrent.futures
import hashlib
import http.client
import io
import os
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from storage_server import Served, serving

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


def test_a_multipart_upload_joins_its_parts_in_order(s3: Any, served: Served) -> None:
    parts = [os.urandom(PART), os.urandom(PART), b"tail"]
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="big")["UploadId"]
    named = {"Bucket": BUCKET, "Key": "big", "UploadId": upload}
    done = []
    for number in (3, 1, 2):
        tag = s3.upload_part(**named, PartNumber=number, Body=parts[number - 1])["ETag"]
        done.append({"PartNumber": number, "ETag": tag})
    assert [p["Size"] for p in s3.list_parts(**named)["Parts"]] == [PART, PART, 4]
    done.sort(key=lambda part: part["PartNumber"])
    tag = s3.complete_multipart_upload(**named, MultipartUpload={"Parts": done})["ETag"]

    digests = b"".join(hashlib.md5(part).digest() for part in parts)
    assert tag == f'"{hashlib.md5(digests).hexdigest()}-3"'
    assert s3.get_object(Bucket=BUCKET, Key="big")["Body"].read() == b"".join(parts)
    assert s3.head_object(Bucket=BUCKET, Key="big", PartNumber=3)["ContentLength"] == 4
    assert len(bodies(served)) == 1, "the parts' files are gone"


def test_an_aborted_upload_leaves_nothing(s3: Any, served: Served) -> None:
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="big")["UploadId"]
    s3.upload_part(Bucket=BUCKET, Key="big", UploadId=upload, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(Bucket=BUCKET, Key="big", UploadId=upload)
    assert bodies(served) == []
    with pytest.raises(ClientError) as error:
        s3.upload_part(Bucket=BUCKET, Key="big", UploadId=upload, PartNumber=1, Body=b"x")
    assert_refused(error, "NoSuchUpload", 404)
    assert bodies(served) == []


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_a_managed_transfer_comes_back_byte_for_byte(
    s3: Any, tmp_path: Path, algorithm: str
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(20 * 1024 * 1024 + 17))
    s3.upload_file(str(source), BUCKET, "k", ExtraArgs={"ChecksumAlgorithm": algorithm})
    s3.download_file(BUCKET, "k", str(target))
    assert target.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 3 * 1024 * 1024 + 1])
@pytest.mark.parametrize("signed", [True, False], ids=["signed-chunks", "unsigned-trailer"])
def test_an_aws_chunked_body_is_unframed(s3: Any, served: Served, size: int, signed: bool) -> None:
    data = os.urandom(size)
    checksum = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
    status, _ = put_chunked(served, data, signed=signed, checksum=checksum)
    assert status == 200
    reply = s3.get_object(Bucket=BUCKET, Key="chunked", ChecksumMode="ENABLED")
    assert reply["Body"].read() == data
    assert reply["ChecksumCRC32"] == checksum
    assert reply.get("ContentEncoding", "") == ""


def put_chunked(
    served: Served, data: bytes, *, signed: bool, checksum: str, whole: bool = True
) -> tuple[int, bytes]:
    framed = io.BytesIO()
    for start in range(0, len(data), 65536):
        chunk = data[start : start + 65536]
        signature = ";chunk-signature=0" if signed else ""
        framed.write(f"{len(chunk):x}{signature}\r\n".encode() + chunk + b"\r\n")
    if whole:
        framed.write(b"0;chunk-signature=0\r\n" if signed else b"0\r\n")
        framed.write(f"x-amz-checksum-crc32:{checksum}\r\n\r\n".encode())
    mode = "AWS4-HMAC-SHA256-PAYLOAD-TRAILER" if signed else "UNSIGNED-PAYLOAD-TRAILER"
    headers = {
        "x-amz-content-sha256": f"STREAMING-{mode}",
        "x-amz-decoded-content-length": str(len(data)),
        "x-amz-trailer": "x-amz-checksum-crc32",
        "Content-Encoding": "aws-chunked",
    }
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    try:
        connection.request("PUT", f"/{BUCKET}/chunked", framed.getvalue(), headers)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def test_a_wrong_trailing_checksum_is_refused(s3: Any, served: Served) -> None:
    status, body = put_chunked(served, b"data", signed=False, checksum="AAAAAA==")
    assert status == 400
    assert b"<Code>BadDigest</Code>" in body
    assert bodies(served) == []


def test_an_aws_chunked_body_without_its_end_is_refused(s3: Any, served: Served) -> None:
    status, body = put_chunked(served, b"data", signed=False, checksum="", whole=False)
    assert status == 400
    assert b"<Code>IncompleteBody</Code>" in body
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET)


@pytest.mark.parametrize(
    "headers, code",
    [
        ({"ContentMD5": base64.b64encode(bytes(16)).decode()}, "BadDigest"),
        ({"ContentMD5": "short"}, "InvalidDigest"),
        ({"ChecksumCRC32": "AAAAAA=="}, "BadDigest"),
        ({"ChecksumSHA256": base64.b64encode(bytes(32)).decode()}, "BadDigest"),
    ],
)
def test_a_wrong_digest_is_refused_and_nothing_is_kept(
    s3: Any, served: Served, headers: dict[str, str], code: str
) -> None:
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=BUCKET, Key="k", Body=b"data", **headers)
    assert_refused(error, code, 400)
    assert bodies(served) == []


def test_a_truncated_upload_leaves_no_object(s3: Any, served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        head = f"PUT /{BUCKET}/cut HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
        connection.sendall(head.encode() + b"only this")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket=BUCKET, Key="cut")
    assert_refused(error, "404", 404)
    assert bodies(served) == []


def test_a_copy_shares_the_bytes_and_outlives_its_source(s3: Any, served: Served) -> None:
    s3.put_object(Bucket=BUCKET, Key="source", Body=b"data", Metadata={"a": "b"})
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/source")
    assert {path.stat().st_ino for path in bodies(served)} == {bodies(served)[0].stat().st_ino}
    s3.delete_object(Bucket=BUCKET, Key="source")
    reply = s3.get_object(Bucket=BUCKET, Key="copy")
    assert (reply["Body"].read(), reply["Metadata"]) == (b"data", {"a": "b"})


def test_a_copy_of_a_multipart_object_reads_with_checksums(s3: Any, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(9 * 1024 * 1024))
    s3.upload_file(str(source), BUCKET, "source")
    tag = s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/source")
    assert (
        tag["CopyObjectResult"]["ETag"].strip('"') == hashlib.md5(source.read_bytes()).hexdigest()
    )
    assert s3.get_object(Bucket=BUCKET, Key="copy")["Body"].read() == source.read_bytes()


def test_a_copy_onto_itself_changes_the_metadata_alone(s3: Any, served: Served) -> None:
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"data", Metadata={"a": "b"})
    named = {"Bucket": BUCKET, "Key": "k", "CopySource": f"{BUCKET}/k"}
    s3.copy_object(**named, Metadata={"c": "d"}, MetadataDirective="REPLACE")
    reply = s3.get_object(Bucket=BUCKET, Key="k")
    assert (reply["Body"].read(), reply["Metadata"]) == (b"data", {"c": "d"})
    assert len(bodies(served)) == 1


def test_completing_twice_or_with_other_parts_is_answered_as_s3_does(
    s3: Any, served: Served
) -> None:
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="k")["UploadId"]
    named = {"Bucket": BUCKET, "Key": "k", "UploadId": upload}
    tags = [s3.upload_part(**named, PartNumber=n, Body=b"%d" % n)["ETag"] for n in (1, 2)]
    wrong = {"Parts": [{"PartNumber": 1, "ETag": tags[1]}]}
    with pytest.raises(ClientError) as error:
        s3.complete_multipart_upload(**named, MultipartUpload=wrong)
    assert_refused(error, "InvalidPart", 400)
    assert len(bodies(served)) == 2, "the parts are kept, what was joined is not"
    only_second = {"Parts": [{"PartNumber": 2, "ETag": tags[1]}]}
    for _ in range(2):
        s3.complete_multipart_upload(**named, MultipartUpload=only_second)
        assert s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"2"
        assert len(bodies(served)) == 1


def test_a_write_on_condition_that_nothing_is_there_happens_once(s3: Any) -> None:
    def write(n: int) -> bool:
        try:
            s3.put_object(Bucket=BUCKET, Key="k", Body=b"%d" % n, IfNoneMatch="*")
        except s3.exceptions.ClientError as error:
            return bool(error.response["Error"]["Code"] != "PreconditionFailed")
        return True

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(16))) == 1


def test_a_part_copied_from_a_range_holds_that_range(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="source", Body=b"0123456789")
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="k")["UploadId"]
    named = {"Bucket": BUCKET, "Key": "k", "UploadId": upload}
    part = s3.upload_part_copy(
        **named, PartNumber=1, CopySource=f"{BUCKET}/source", CopySourceRange="bytes=2-5"
    )["CopyPartResult"]
    s3.complete_multipart_upload(
        **named, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    )
    assert s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"2345"


def test_concurrent_puts_of_one_key_keep_exactly_one(s3: Any, served: Served) -> None:
    written = [bytes([n]) * 100_000 for n in range(40)]
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda body: s3.put_object(Bucket=BUCKET, Key="k", Body=body), written))
    assert s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() in written
    assert len(bodies(served)) == 1


def test_concurrent_readers_never_see_half_of_a_replacement(s3: Any) -> None:
    written = [bytes([n]) * 3_000_000 for n in range(6)]
    s3.put_object(Bucket=BUCKET, Key="k", Body=written[0])
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        writes = [pool.submit(s3.put_object, Bucket=BUCKET, Key="k", Body=b) for b in written]
        reads = [
            pool.submit(lambda: s3.get_object(Bucket=BUCKET, Key="k")["Body"].read())
            for _ in range(20)
        ]
        assert all(write.result() for write in writes)
        assert all(read.result() in written for read in reads)
