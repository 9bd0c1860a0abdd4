"""boto3 with AWS's own addresses, through the TLS proxy, to the whole emulator; no engine."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from emulator.assemble import Assembly, assemble
from emulator.proxy import trust
from emulator.settings import Settings

ACCOUNT, REGION = "123456789012", "us-west-2"
Client = Callable[..., Any]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembly]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
        state = tmp_path_factory.mktemp("state")
        assembly = assemble(Settings(port=0, proxy_port=free_port(), state=state))
        assembly.start()
        yield assembly
        assembly.close()


@pytest.fixture
def client(assembly: Assembly, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Make clients by the environment alone; none has an endpoint URL."""
    for name in [name for name in os.environ if name.startswith("AWS_") or "proxy" in name.lower()]:
        monkeypatch.delenv(name)
    assert assembly.proxy is not None
    monkeypatch.setenv("HTTPS_PROXY", assembly.proxy.url)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(trust.bundle_file(assembly.state)))
    made = []

    def make(service: str, region: str = REGION, **options: Any) -> Any:
        made.append(
            boto3.Session(ACCOUNT, "none", region_name=region).client(
                service, config=Config(retries={"total_max_attempts": 1}, **options)
            )
        )
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"s3": {"addressing_style": "path"}},
        {"s3": {"addressing_style": "virtual"}},
        {"s3": {"use_accelerate_endpoint": True}},
        {"s3": {"use_dualstack_endpoint": True}},
        {"use_fips_endpoint": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("region", ["us-east-1", "us-west-2"])
def test_objects_come_back_as_they_went(
    client: Client, region: str, options: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    s3, bucket = client("s3", region, **options), f"b{abs(hash(request.node.name))}"
    where = {"CreateBucketConfiguration": {"LocationConstraint": region}}
    # Accelerated hosts serve objects only.
    client("s3", region).create_bucket(Bucket=bucket, **(where if region != "us-east-1" else {}))
    body = bytes(range(256)) * 4000
    s3.put_object(Bucket=bucket, Key="a b/ü?#%.bin", Body=body)
    with closing(s3.get_object(Bucket=bucket, Key="a b/ü?#%.bin")["Body"]) as stream:
        assert stream.read() == body
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="a b/")["Contents"]
    assert [found["Key"] for found in listed] == ["a b/ü?#%.bin"]
    s3.delete_object(Bucket=bucket, Key="a b/ü?#%.bin")
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket=bucket, Key="a b/ü?#%.bin")


def test_a_large_object_goes_up_in_parts_and_down_in_ranges(client: Client) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="parts", CreateBucketConfiguration={"LocationConstraint": REGION})
    upload = s3.create_multipart_upload(Bucket="parts", Key="k")["UploadId"]
    which = {"Bucket": "parts", "Key": "k", "UploadId": upload}
    pieces = [bytes([number]) * 5 * 2**20 for number in (1, 2)]
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**which, PartNumber=n, Body=piece)["ETag"]}
        for n, piece in enumerate(pieces, start=1)
    ]
    s3.complete_multipart_upload(**which, MultipartUpload={"Parts": parts})
    with closing(
        s3.get_object(Bucket="parts", Key="k", Range="bytes=5242870-5242889")["Body"]
    ) as b:
        assert b.read() == b"\1" * 10 + b"\2" * 10


def test_sts_iam_and_both_planes_of_sagemaker_answer_at_their_own_hosts(client: Client) -> None:
    assert client("sts").get_caller_identity()["Account"] == ACCOUNT
    assert client("iam").list_roles()["Roles"]
    sagemaker = client("sagemaker")
    assert sagemaker.meta.endpoint_url == "https://api.sagemaker.us-west-2.amazonaws.com"
    sagemaker.create_model(
        ModelName="proxied",
        PrimaryContainer={"Image": "any"},
        ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/SageMaker",
    )
    described = sagemaker.describe_model(ModelName="proxied")
    assert described["ModelArn"] == f"arn:aws:sagemaker:us-west-2:{ACCOUNT}:model/proxied"
    runtime = client("runtime.sagemaker", "us-east-1")
    assert runtime.meta.endpoint_url == "https://runtime.sagemaker.us-east-1.amazonaws.com"
    with pytest.raises(ClientError, match=r"Endpoint absent of account \d+ not found"):
        runtime.invoke_endpoint(EndpointName="absent", Body=b"\x00\xff")


def test_a_training_job_is_created_and_described(client: Client) -> None:
    sagemaker = client("sagemaker")
    sagemaker.create_training_job(
        TrainingJobName="proxied",
        AlgorithmSpecification={"TrainingImage": "any", "TrainingInputMode": "File"},
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/SageMaker",
        OutputDataConfig={"S3OutputPath": "s3://parts/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )
    job = sagemaker.describe_training_job(TrainingJobName="proxied")
    assert job["TrainingJobStatus"] == "InProgress"


def test_a_service_that_is_not_emulated_is_refused_and_never_reached(client: Client) -> None:
    with pytest.raises(ClientError, match="is not emulated"):
        client("dynamodb").list_tables()


def test_health_names_the_proxy(assembly: Assembly) -> None:
    port = assembly.settings.proxy_port
    assert assembly.health()["proxy"] == f"http://127.0.0.1:{port}"
