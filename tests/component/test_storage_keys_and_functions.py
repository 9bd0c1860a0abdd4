"""KMS and Lambda by moto, and objects in S3 that say they are encrypted with a key of KMS."""

import io
import json
import logging
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from storage_server import ACCOUNT, OTHER_ACCOUNT, REGION, Served, serving

from emulator.call import Scope

BUCKET = "data-bucket"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/AmazonSageMaker-ExecutionRole"
RUNTIME = {"Runtime": "python3.12", "Handler": "f.handler"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("storage")) as served:
        served.client("s3").create_bucket(Bucket=BUCKET)
        yield served


@pytest.fixture(scope="module")
def key(served: Served) -> str:
    """The ARN of a key."""
    return str(served.client("kms").create_key()["KeyMetadata"]["Arn"])


def test_kms_encrypts_and_decrypts(served: Served, key: str) -> None:
    kms = served.client("kms")
    kms.create_alias(AliasName="alias/mine", TargetKeyId=key)
    cipher = kms.encrypt(KeyId="alias/mine", Plaintext=b"secret")["CiphertextBlob"]
    assert b"secret" not in cipher
    assert kms.decrypt(CiphertextBlob=cipher)["Plaintext"] == b"secret"
    assert kms.generate_data_key(KeyId=key, KeySpec="AES_256")["Plaintext"]
    with pytest.raises(ClientError, match="NotFoundException"):
        kms.describe_key(KeyId="00000000-0000-0000-0000-000000000000")
    assert served.client("kms", OTHER_ACCOUNT).list_keys()["Keys"] == []


def encryption(reply: dict[str, Any]) -> tuple[str | None, str | None]:
    return reply.get("ServerSideEncryption"), reply.get("SSEKMSKeyId")


@pytest.mark.parametrize("named", [True, False])
def test_an_object_says_that_it_is_encrypted(served: Served, key: str, named: bool) -> None:
    s3 = served.client("s3")
    asked: dict[str, Any] = {"ServerSideEncryption": "aws:kms"}
    if named:
        asked["SSEKMSKeyId"] = key
    said = ("aws:kms", key if named else None)
    name = {"Bucket": BUCKET, "Key": "k"}
    assert encryption(s3.put_object(**name, Body=b"x", **asked)) == said
    assert encryption(s3.head_object(**name)) == encryption(s3.get_object(**name)) == said
    copy = {"Bucket": BUCKET, "Key": "copy"}
    assert encryption(s3.copy_object(**copy, CopySource=name, **asked)) == said
    assert encryption(s3.head_object(**copy)) == said
    joined = {"Bucket": BUCKET, "Key": "joined"}
    upload = s3.create_multipart_upload(**joined, **asked)
    assert encryption(upload) == said
    of_upload = {**joined, "UploadId": upload["UploadId"]}
    part = s3.upload_part(**of_upload, PartNumber=1, Body=b"part")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    done = s3.complete_multipart_upload(**of_upload, MultipartUpload=parts)
    assert encryption(done) == encryption(s3.head_object(**joined)) == said
    assert s3.get_object(**joined)["Body"].read() == b"part"


def test_a_buckets_encryption_is_that_of_its_objects(served: Served, key: str) -> None:
    s3 = served.client("s3")
    s3.create_bucket(Bucket="encrypted")
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    s3.put_bucket_encryption(Bucket="encrypted", ServerSideEncryptionConfiguration=rules)
    s3.put_object(Bucket="encrypted", Key="k", Body=b"x")
    assert encryption(s3.head_object(Bucket="encrypted", Key="k")) == ("aws:kms", key)


def test_an_encryption_that_s3_does_not_have_is_refused(served: Served) -> None:
    with pytest.raises(ClientError) as error:
        served.client("s3").put_object(
            Bucket=BUCKET, Key="k2", Body=b"x", ServerSideEncryption="nonsense"
        )
    assert error.value.response["Error"]["Code"] == "InvalidArgument"


POLICIES = [
    {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}},
    {"Null": {"s3:x-amz-server-side-encryption": "true"}},
    {"Bool": {"aws:SecureTransport": "false"}},
]


@pytest.mark.parametrize("condition", POLICIES, ids=lambda condition: next(iter(condition)))
def test_a_policy_that_denies_something_denies_nothing_here(
    served: Served, condition: dict[str, Any]
) -> None:
    s3 = served.client("s3")
    s3.create_bucket(Bucket="guarded")
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::guarded", "arn:aws:s3:::guarded/*"],
        "Condition": condition,
    }
    policy = {"Version": "2012-10-17", "Statement": [deny]}
    s3.put_bucket_policy(Bucket="guarded", Policy=json.dumps(policy))
    assert json.loads(s3.get_bucket_policy(Bucket="guarded")["Policy"]) == policy
    s3.put_object(Bucket="guarded", Key="k", Body=b"x", ServerSideEncryption="aws:kms")
    assert s3.get_object(Bucket="guarded", Key="k")["Body"].read() == b"x"
    assert s3.list_objects_v2(Bucket="guarded")["KeyCount"] == 1
    deleted = s3.delete_objects(Bucket="guarded", Delete={"Objects": [{"Key": "k"}]})
    assert [found["Key"] for found in deleted["Deleted"]] == ["k"]


def test_a_policy_of_exceptions_is_kept(served: Served) -> None:
    s3 = served.client("s3")
    statement = {
        "Effect": "Deny",
        "NotPrincipal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "NotAction": ["s3:GetObject", "s3:List*"],
        "NotResource": f"arn:aws:s3:::{BUCKET}/open/*",
    }
    policy = {"Version": "2012-10-17", "Statement": statement}
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    assert json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"]) == policy
    s3.put_object(Bucket=BUCKET, Key="closed", Body=b"x")
    s3.delete_bucket_policy(Bucket=BUCKET)


def archive() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("f.py", "def handler(event, context): return event")
    return packed.getvalue()


def test_functions_are_kept(served: Served) -> None:
    functions, code = served.client("lambda"), archive()
    served.storage.objects(Scope(ACCOUNT, REGION)).put_bytes(BUCKET, "code.zip", code)
    for name, where in (
        ("inline", {"ZipFile": code}),
        ("stored", {"S3Bucket": BUCKET, "S3Key": "code.zip"}),
    ):
        made = functions.create_function(FunctionName=name, Role=ROLE, Code=where, **RUNTIME)
        assert made["FunctionArn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
        found = functions.get_function(FunctionName=made["FunctionArn"])["Configuration"]
        assert (found["CodeSize"], found["CodeSha256"]) == (len(code), made["CodeSha256"])
    functions.update_function_configuration(FunctionName="inline", Timeout=9)
    names = [found["FunctionName"] for found in functions.list_functions()["Functions"]]
    assert names == ["inline", "stored"]
    functions.delete_function(FunctionName="inline")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        functions.get_function(FunctionName="inline")
    functions.delete_function(FunctionName="stored")


@pytest.fixture
def function(served: Served) -> Iterator[str]:
    """The ARN of a function."""
    functions = served.client("lambda")
    made = functions.create_function(
        FunctionName="mine", Role=ROLE, Code={"ZipFile": archive()}, **RUNTIME
    )
    yield str(made["FunctionArn"])
    functions.delete_function(FunctionName="mine")


@pytest.mark.parametrize("invocation", ["RequestResponse", "Event", "DryRun"])
def test_no_function_is_run_and_none_is_said_to_have_been(
    served: Served, function: str, invocation: str
) -> None:
    functions = served.client("lambda")
    for name in ("mine", function):
        with pytest.raises(ClientError) as error:
            functions.invoke(FunctionName=name, InvocationType=invocation, Payload=b"{}")
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
        assert error.value.response["Error"] == {
            "Code": "NotImplemented",
            "Message": "The function mine was not run: the emulator keeps functions of Lambda, and"
            " has no images of their runtimes to run them in.",
        }
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        functions.invoke(FunctionName="absent", Payload=b"{}")


def test_what_other_services_send_to_a_function_is_dropped_with_a_word(
    served: Served, function: str, caplog: pytest.LogCaptureFixture
) -> None:
    sns = served.client("sns")
    topic = sns.create_topic(Name="topic")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    with caplog.at_level(logging.WARNING):
        assert sns.publish(TopicArn=topic, Message="m")["MessageId"]
    assert "the function mine was not run: none is, here" in caplog.messages
