"""Odd requests to S3: each has S3's own refusal, none ends in a 500 or harms another."""

import http.client
import random
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

import pytest
from botocore.exceptions import ClientError
from storage_server import ACCOUNT, OTHER_ACCOUNT, Served, serving

BUCKET = "data-bucket"
Headers = Mapping[str, str]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("storage")) as served:
        yield served


@pytest.fixture
def s3(served: Served) -> Iterator[Any]:
    client = served.client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key="k", Body=b"0123456789")
    yield client
    served.storage.reset()
    client.close()


class Wire:
    """One kept connection, and requests that no SDK would send."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Headers | None = None
    ) -> tuple[int, bytes]:
        self._connection.request(method, path, body, {**(headers or {})})
        reply = self._connection.getresponse()
        return reply.status, reply.read()

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def wire(served: Served) -> Iterator[Wire]:
    wire = Wire(served.port)
    yield wire
    wire.close()


def code(body: bytes) -> str:
    """Return the code of an error; empty for what is none."""
    if not body.lstrip().startswith(b"<"):
        return ""
    root = ElementTree.fromstring(body)
    return root.findtext("Code") or "" if root.tag == "Error" else ""


_CHUNKS = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
_ONE_PART = b"<CompleteMultipartUpload><Part>%s</Part></CompleteMultipartUpload>"
_POLICY = b'{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:*"}]}'

REFUSALS: list[tuple[str, str, bytes | None, Headers, int, str]] = [
    # Names.
    ("PUT", f"/{BUCKET}/" + "k" * 1025, b"", {}, 400, "KeyTooLongError"),
    ("GET", f"/{BUCKET}/" + "%C3%A9" * 513, None, {}, 400, "KeyTooLongError"),
    ("GET", f"/{BUCKET}/%ff", None, {}, 400, "InvalidURI"),
    ("PUT", "/%ff", b"", {}, 400, "InvalidURI"),
    ("GET", "/no-such-bucket/%00", None, {}, 404, "NoSuchBucket"),
    # Numbers.
    ("GET", f"/{BUCKET}?max-keys=a", None, {}, 400, "InvalidArgument"),
    ("GET", f"/{BUCKET}?max-keys=", None, {}, 400, "InvalidArgument"),
    ("GET", f"/{BUCKET}?max-keys=-1", None, {}, 400, "InvalidArgument"),
    ("GET", f"/{BUCKET}?list-type=2&max-keys=" + "9" * 30, None, {}, 400, "InvalidArgument"),
    ("GET", f"/{BUCKET}?versions&max-keys=1.5", None, {}, 400, "InvalidArgument"),
    ("GET", f"/{BUCKET}?uploads&max-uploads=x", None, {}, 400, "InvalidArgument"),
    ("GET", f"/{BUCKET}/k?uploadId=x&max-parts=x", None, {}, 400, "InvalidArgument"),
    ("GET", f"/{BUCKET}/k?uploadId=x&part-number-marker=x", None, {}, 400, "InvalidArgument"),
    ("PUT", f"/{BUCKET}/k?uploadId=x&partNumber=0", b"", {}, 400, "InvalidArgument"),
    ("PUT", f"/{BUCKET}/k?uploadId=x&partNumber=10001", b"", {}, 400, "InvalidArgument"),
    ("PUT", f"/{BUCKET}/k?uploadId=x&partNumber=one", b"", {}, 400, "InvalidArgument"),
    ("PUT", f"/{BUCKET}/k?uploadId=x", b"part", {}, 400, "InvalidArgument"),
    ("PUT", f"/{BUCKET}/k?partNumber=1", b"part", {}, 400, "InvalidArgument"),
    # Tokens, uploads and copies that are not there.
    ("GET", f"/{BUCKET}?list-type=2&continuation-token=zzz", None, {}, 400, "InvalidArgument"),
    ("GET", f"/{BUCKET}?list-type=2&continuation-token=", None, {}, 400, "InvalidArgument"),
    ("PUT", f"/{BUCKET}/k?uploadId=x&partNumber=1", b"part", {}, 404, "NoSuchUpload"),
    ("DELETE", f"/{BUCKET}/k?uploadId=x", None, {}, 404, "NoSuchUpload"),
    ("GET", f"/{BUCKET}/k?uploadId=x", None, {}, 404, "NoSuchUpload"),
    ("PUT", f"/{BUCKET}/k", None, {"x-amz-copy-source": "no-key"}, 400, "InvalidArgument"),
    ("PUT", f"/{BUCKET}/k", None, {"x-amz-copy-source": "/"}, 400, "InvalidArgument"),
    ("PUT", f"/{BUCKET}/k", None, {"x-amz-copy-source": f"{BUCKET}/no"}, 404, "NoSuchKey"),
    ("PUT", f"/{BUCKET}/k", None, {"x-amz-copy-source": "no-bucket/no"}, 404, "NoSuchBucket"),
    # Bodies.
    ("POST", f"/{BUCKET}?delete", b"", {}, 400, "MissingRequestBodyError"),
    ("POST", f"/{BUCKET}?delete", b"<Delete", {}, 400, "MalformedXML"),
    ("POST", f"/{BUCKET}?delete", b"<Delete/>", {}, 400, "MalformedXML"),
    ("POST", f"/{BUCKET}?delete", b"<Delete><Object/></Delete>", {}, 400, "MalformedXML"),
    ("POST", f"/{BUCKET}?delete", b"\xff\xfe\x00", {}, 400, "MalformedXML"),
    ("PUT", f"/{BUCKET}?tagging", b"", {}, 400, "MissingRequestBodyError"),
    ("PUT", f"/{BUCKET}?tagging", b"<Tagging/>", {}, 400, "MalformedXML"),
    ("PUT", f"/{BUCKET}/k?tagging", b"", {}, 400, "MissingRequestBodyError"),
    ("PUT", f"/{BUCKET}/k?tagging", b"<Tagging/>", {}, 400, "MalformedXML"),
    ("PUT", f"/{BUCKET}?versioning", b"", {}, 400, "MissingRequestBodyError"),
    (
        *("PUT", f"/{BUCKET}?versioning", b"<VersioningConfiguration/>", {}, 400),
        "IllegalVersioningConfigurationException",
    ),
    ("PUT", f"/{BUCKET}?lifecycle", b"nonsense", {}, 400, "MalformedXML"),
    ("PUT", f"/{BUCKET}?lifecycle", b"<LifecycleConfiguration/>", {}, 400, "MalformedXML"),
    ("PUT", f"/{BUCKET}?cors", b"<CORSConfiguration/>", {}, 400, "MalformedXML"),
    ("PUT", f"/{BUCKET}?acl", b"<AccessControlPolicy", {}, 400, "MalformedXML"),
    ("PUT", f"/{BUCKET}?acl", None, {"x-amz-acl": "no-such-acl"}, 400, "InvalidRequest"),
    ("PUT", f"/{BUCKET}?notification", b"<a/>", {}, 400, "MalformedXML"),
    ("PUT", f"/{BUCKET}?encryption", b"<a/>", {}, 400, "MalformedXML"),
    ("PUT", f"/{BUCKET}?publicAccessBlock", b"[]", {}, 400, "MalformedXML"),
    ("PUT", f"/{BUCKET}?policy", b"", {}, 400, "MissingRequestBodyError"),
    ("PUT", f"/{BUCKET}?policy", b"nonsense", {}, 400, "MalformedPolicy"),
    ("PUT", f"/{BUCKET}?policy", b"[]", {}, 400, "MalformedPolicy"),
    ("PUT", f"/{BUCKET}?policy", b"{}", {}, 400, "MalformedPolicy"),
    ("PUT", f"/{BUCKET}?policy", _POLICY, {}, 400, "MalformedPolicy"),
    ("POST", f"/{BUCKET}/k?uploadId=x", b"", {}, 400, "InvalidRequest"),
    ("POST", f"/{BUCKET}/k?uploadId=x", b"<a/>", {}, 400, "MalformedXML"),
    (
        "POST",
        f"/{BUCKET}/k?uploadId=x",
        _ONE_PART % b"<PartNumber>1</PartNumber><ETag>x</ETag>",
        {},
        404,
        "NoSuchUpload",
    ),
    (
        *("POST", f"/{BUCKET}/k?uploadId=x"),
        *(_ONE_PART % b"<PartNumber>one</PartNumber>", {}, 400, "MalformedXML"),
    ),
    ("POST", f"/{BUCKET}/k?restore", b"{", {}, 400, "MalformedXML"),
    ("POST", f"/{BUCKET}/k?select&select-type=2", b"<a/>", {}, 400, "MalformedXML"),
    ("PUT", f"/{BUCKET}/k?retention", b"<a/>", {}, 400, "MalformedXML"),
    ("PUT", "/made-of-nonsense", b"nonsense", {}, 400, "MalformedXML"),
    ("PUT", f"/{BUCKET}?tagging", b"zz\r\n", _CHUNKS, 400, "InvalidRequest"),
    ("PUT", f"/{BUCKET}/k", b"zz\r\n", _CHUNKS, 400, "InvalidRequest"),
    # Digests.
    ("PUT", f"/{BUCKET}/k", b"x", {"Content-MD5": "zzz"}, 400, "InvalidDigest"),
    ("PUT", f"/{BUCKET}/k", b"x", {"Content-MD5": "A" * 22 + "=="}, 400, "BadDigest"),
    ("POST", f"/{BUCKET}?delete", b"<a/>", {"Content-MD5": "zzz"}, 400, "InvalidDigest"),
    # Methods and subresources.
    ("POST", f"/{BUCKET}/k", b"", {}, 405, "MethodNotAllowed"),
    ("POST", f"/{BUCKET}/k?nonsense", b"x", {}, 405, "MethodNotAllowed"),
    ("POST", "/no-such-bucket/k", b"x", {}, 405, "MethodNotAllowed"),
    ("POST", f"/{BUCKET}", b"", {}, 412, "PreconditionFailed"),
    ("POST", f"/{BUCKET}", b"x", {"Content-Type": "multipart/form-data"}, 400, "InvalidArgument"),
    ("PATCH", f"/{BUCKET}/k", b"x", {}, 405, "MethodNotAllowed"),
    ("DELETE", "/", None, {}, 405, "MethodNotAllowed"),
    ("DELETE", f"/{BUCKET}?metrics&id=x", None, {}, 501, "NotImplemented"),
    ("DELETE", f"/{BUCKET}?notification", None, {}, 501, "NotImplemented"),
    ("PUT", "/new-bucket?requestPayment", b"<a/>", {}, 501, "NotImplemented"),
    ("GET", f"/{BUCKET}/k?torrent", None, {}, 501, "NotImplemented"),
    # Tags.
    ("PUT", f"/{BUCKET}/t", b"x", {"x-amz-tagging": "aws:a=b"}, 400, "InvalidTag"),
    ("POST", f"/{BUCKET}/t?uploads", b"", {"x-amz-tagging": "aws:a=b"}, 400, "InvalidTag"),
]


@pytest.mark.parametrize(
    "method, path, body, headers, status, expected",
    REFUSALS,
    ids=lambda value: ascii(value)[:40] if isinstance(value, str | bytes) else "",
)
def test_an_odd_request_has_its_own_refusal(
    s3: Any,
    wire: Wire,
    method: str,
    path: str,
    body: bytes | None,
    headers: Headers,
    status: int,
    expected: str,
) -> None:
    found, answer = wire.ask(method, path, body, headers)
    assert (found, code(answer)) == (status, expected), answer
    assert b"Traceback" not in answer
    # The connection and the bucket are as good as before.
    assert wire.ask("GET", f"/{BUCKET}/k") == (200, b"0123456789")
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == ["k"]
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == [BUCKET]


def test_a_key_that_is_too_long_is_told_how_long(s3: Any) -> None:
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=BUCKET, Key="é" * 513, Body=b"x")
    assert error.value.response["Error"] == {
        "Code": "KeyTooLongError",
        "Message": "Your key is too long",
        "Size": "1026",
        "MaxSizeAllowed": "1024",
    }


NAMES = ["ab", "Upper", "under_score", "-begins", "ends-", "a..b", "192.168.5.4", "xn--puny"]
NAMES += ["a" * 64, "sthree-x", "name-s3alias", "name--ol-s3", "sp%20ace", "caf%C3%A9"]


@pytest.mark.parametrize("name", NAMES)
def test_a_bucket_needs_a_name_that_s3_allows(s3: Any, wire: Wire, name: str) -> None:
    status, answer = wire.ask("PUT", f"/{name}")
    assert (status, code(answer)) == (400, "InvalidBucketName")
    assert len(s3.list_buckets()["Buckets"]) == 1


@pytest.mark.parametrize("name", ["abc", "a" * 63, "a.b-c", "1.2.3", "sagemaker-us-east-1-1234"])
def test_a_bucket_may_have_any_other_name(s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    assert s3.head_object(Bucket=name, Key="k")["ContentLength"] == 1


@pytest.mark.parametrize(
    "asked", ["nonsense", "items=0-1", "bytes", "bytes=", "bytes=a-b", "bytes=5-2", "=", "bytes=1"]
)
def test_a_range_that_cannot_be_read_is_ignored(s3: Any, wire: Wire, asked: str) -> None:
    assert wire.ask("GET", f"/{BUCKET}/k", None, {"Range": asked}) == (200, b"0123456789")


@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since"])
def test_a_date_that_cannot_be_read_is_ignored(s3: Any, wire: Wire, name: str) -> None:
    assert wire.ask("GET", f"/{BUCKET}/k", None, {name: "yesterday"}) == (200, b"0123456789")


def test_a_token_of_one_listing_is_told_from_a_made_up_one(s3: Any) -> None:
    with pytest.raises(ClientError) as error:
        s3.list_objects_v2(Bucket=BUCKET, ContinuationToken="bWFkZSB1cA==")
    assert error.value.response["Error"]["Code"] == "InvalidArgument"
    assert (
        error.value.response["Error"]["Message"] == "The continuation token provided is incorrect"
    )


def tags_of(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in pairs]}


def test_tag_keys_that_are_awss_are_refused(s3: Any) -> None:
    name = {"Bucket": BUCKET, "Key": "k"}
    s3.put_object_tagging(**name, Tagging=tags_of(("mine", "1")))
    for change in (
        lambda: s3.put_object_tagging(**name, Tagging=tags_of(("aws:x", "1"))),
        lambda: s3.put_bucket_tagging(Bucket=BUCKET, Tagging=tags_of(("aws:x", "1"))),
        lambda: s3.put_object(**name, Body=b"x", Tagging="aws:x=1"),
        lambda: s3.create_multipart_upload(**name, Tagging="aws:x=1"),
        lambda: s3.put_object_tagging(**name, Tagging=tags_of(("a", "1"), ("a", "2"))),
    ):
        with pytest.raises(ClientError, match="InvalidTag"):
            change()
    assert s3.get_object_tagging(**name)["TagSet"] == [{"Key": "mine", "Value": "1"}]
    assert s3.get_object(**name)["Body"].read() == b"0123456789"


def test_an_empty_set_of_tags_is_legal(s3: Any) -> None:
    name = {"Bucket": BUCKET, "Key": "k"}
    s3.put_object_tagging(**name, Tagging=tags_of(("mine", "1")))
    s3.put_object_tagging(**name, Tagging=tags_of())
    assert s3.get_object_tagging(**name)["TagSet"] == []


def test_xml_in_chunks_is_read(s3: Any, wire: Wire) -> None:
    xml = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(xml), xml)
    assert wire.ask("PUT", f"/{BUCKET}/k?tagging", body, _CHUNKS)[0] == 200
    assert s3.get_object_tagging(Bucket=BUCKET, Key="k")["TagSet"] == [{"Key": "a", "Value": "b"}]


def test_a_browser_uploads_by_a_form(s3: Any, wire: Wire) -> None:
    body = (
        b'--X\r\nContent-Disposition: form-data; name="key"\r\n\r\nuploaded\r\n'
        b'--X\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\ncontent\r\n--X--'
    )
    form = {"Content-Type": "multipart/form-data; boundary=X"}
    assert wire.ask("POST", f"/{BUCKET}", body, form) == (204, b"")
    assert s3.get_object(Bucket=BUCKET, Key="uploaded")["Body"].read() == b"content"


def test_nothing_of_a_refused_request_has_happened(s3: Any) -> None:
    """moto stores the object first and looks at its tags then."""
    with pytest.raises(ClientError):
        s3.put_object(Bucket=BUCKET, Key="k", Body=b"after", Tagging="&".join(["aws:x=1"] * 3))
    assert s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"0123456789"


_ASKED = (
    "delete tagging acl versioning lifecycle cors policy notification website logging accelerate "
    "publicAccessBlock inventory inventory&id=x versions encryption replication ownershipControls "
    "object-lock uploads location policyStatus legal-hold retention restore select attributes "
    "uploadId=x uploadId=x&partNumber=1 list-type=2 nonsense session versionId=x versionId=%ff "
    "prefix=%ff delimiter= marker=%00 encoding-type=nonsense response-content-type=%0d%0a "
    "X-Amz-Credential=x Signature=x AWSAccessKeyId=x&Signature=y&Expires=z"
)
_ROOTS = (
    "AccelerateConfiguration AccessControlPolicy BucketLoggingStatus CORSConfiguration Delete "
    "CompleteMultipartUpload CreateBucketConfiguration InventoryConfiguration LegalHold "
    "LifecycleConfiguration NotificationConfiguration ObjectLockConfiguration "
    "OwnershipControls PublicAccessBlockConfiguration ReplicationConfiguration RestoreRequest "
    "Retention SelectObjectContentRequest ServerSideEncryptionConfiguration Tagging "
    "VersioningConfiguration WebsiteConfiguration"
)
_BODIES = [b"", b"<", b"{}", b"<a/>", b"<a>\xff</a>"]
_BODIES += [b"<%s/>" % name.encode() for name in _ROOTS.split()]
_HEADERS: list[Headers] = [
    {},
    {"x-amz-copy-source": "%ff%fe/%ff"},
    {"x-amz-copy-source": f"{BUCKET}/k", "x-amz-copy-source-range": "bytes=5-1"},
    {"If-Match": "x"},
    {"x-amz-tagging": "&&=&a"},
    {"x-amz-storage-class": "NONSENSE"},
    {"x-amz-object-lock-mode": "X", "x-amz-object-lock-retain-until-date": "zz"},
    {"x-amz-grant-read": "nonsense"},
    {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
    {"x-amz-decoded-content-length": "x", **_CHUNKS},
    {"Origin": "http://x", "Access-Control-Request-Method": "GET"},
    {"x-amz-server-side-encryption": "nonsense"},
    {"Authorization": "AWS4-HMAC-SHA256 nonsense"},
    {"x-amz-expected-bucket-owner": OTHER_ACCOUNT},
]


def test_no_mixture_of_odd_things_ends_in_a_500(served: Served, s3: Any, wire: Wire) -> None:
    mix = random.Random(20)
    paths = ["/", f"/{BUCKET}", f"/{BUCKET}/k", "/no-such-bucket", "/no-such-bucket/k", "//"]
    for _ in range(1500):
        method = mix.choice(["GET", "HEAD", "PUT", "PUT", "POST", "POST", "DELETE", "OPTIONS"])
        path = f"{mix.choice(paths)}?{mix.choice(_ASKED.split())}"
        body = mix.choice(_BODIES) if method in ("PUT", "POST") else None
        headers = mix.choice(_HEADERS)
        status, answer = wire.ask(method, path, body, headers)
        asked = (method, path, body, headers)
        assert status < 500 or status == 501, (asked, status, answer)
    # Nor can one of them have broken the bucket for those who come after.
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"0123456789")
    assert s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"0123456789"
    assert served.client("s3", account=ACCOUNT).list_objects_v2(Bucket=BUCKET)["Contents"]
