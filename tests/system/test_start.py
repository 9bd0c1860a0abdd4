"""The first seconds of `sagemaker-emulator up`, with clients that do not wait for it."""

import contextlib
import io
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError, ParamValidationError
from fire import Fire, busy_machine, start_under
from running_emulator import COMMAND, IMAGE, Emulator, unique

pytestmark = pytest.mark.docker

STARTS = int(os.environ.get("STARTS", "200"))
HERE = Path(__file__).parent
LOADING = "loading"
MAIN = "MainThread"


def test_clients_that_call_from_the_first_moment_fail_never_and_import_nothing(
    tmp_path: Path,
) -> None:
    report = tmp_path / "imports"
    audited = (sys.executable, str(HERE / "audited_emulator.py"), str(report))
    with busy_machine(1):
        start_under(Fire(), tmp_path / "state", audited)
    threads = [thread for thread, _ in imports(report)]
    assert set(threads) == {MAIN, LOADING}, imports(report)[-100:]
    # The main thread imports what is needed to serve, and then nothing any more.
    assert MAIN not in threads[threads.index(LOADING) :], imports(report)


@pytest.mark.endurance
@pytest.mark.timeout(STARTS * 60)
def test_clients_that_call_from_the_first_moment_fail_in_no_start_of_many(tmp_path: Path) -> None:
    fire = Fire()
    with busy_machine(2):
        for number in range(1, STARTS + 1):
            log = start_under(fire, tmp_path, COMMAND)
            assert "Traceback" not in log, log
            print(f"start {number}: {dict(fire.answered)}")  # noqa: T201 - they take minutes


def imports(report: Path) -> list[tuple[str, str]]:
    """Return thread and module of every first import, in their order."""
    return [tuple(line.split()) for line in report.read_text().splitlines()]  # type: ignore[misc]


def test_what_clients_ask_for_and_containers_do_needs_no_further_import(
    launched, tmp_path: Path
) -> None:
    report = tmp_path / "imports"
    running: Emulator = launched(
        command=(sys.executable, str(HERE / "audited_emulator.py"), str(report))
    )
    use_every_part(running)
    assert running.stop() == 0
    late = [(thread, module) for thread, module in imports(report) if thread not in (MAIN, LOADING)]
    assert late == []


def use_every_part(running: Emulator) -> None:
    """Train, deploy, invoke, and ask each service for something, and for what fails."""
    job = unique("imports")
    bucket = running.train(
        job,
        shell="echo loss=1.5; echo weights > /opt/ml/model/weights",
        AlgorithmSpecification={
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
        },
    )
    assert running.ended(job)["TrainingJobStatus"] == "Completed"
    assert running.output(job) == ["loss=1.5"]
    artifacts = running.job(job)["ModelArtifacts"]["S3ModelArtifacts"]
    endpoint = running.deploy(running.config({"ModelName": running.model(ModelDataUrl=artifacts)}))
    assert running.command(endpoint, sleep=0) is not None
    running.delete(endpoint)
    use_storage(running, bucket)
    use_identity(running)
    for service, operation, request in (
        ("cloudwatch", "list_metrics", {}),
        ("ecr", "create_repository", {"repositoryName": "some"}),
        ("sns", "create_topic", {"Name": "some"}),
        ("kms", "create_key", {}),
        ("lambda", "list_functions", {}),
        ("s3", "list_objects_v2", {"Bucket": "sagemaker-sample-files"}),
        ("sagemaker", "list_experiments", {}),
        ("logs", "filter_log_events", {"logGroupName": "/aws/sagemaker/TrainingJobs"}),
    ):
        getattr(running.client(service), operation)(**request)
    for service, operation, request in (
        ("sagemaker", "describe_endpoint", {"EndpointName": "absent"}),
        ("sagemaker", "create_auto_ml_job_v2", {}),
        ("s3", "get_object", {"Bucket": "absent-bucket", "Key": "absent"}),
        ("s3", "put_bucket_policy", {"Bucket": bucket, "Policy": "nonsense"}),
        ("kms", "describe_key", {"KeyId": "alias/absent"}),
        ("lambda", "invoke", {"FunctionName": "absent"}),
        ("dynamodb", "list_tables", {}),
    ):
        with pytest.raises((ClientError, ParamValidationError)):
            getattr(running.client(service), operation)(**request)
    for page in ("health", "accelerators", "absent"):
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(f"{running.url}/_emulator/{page}", timeout=60).close()
    urllib.request.urlopen(f"{running.url}/_emulator/reset", data=b"", timeout=60).close()


def use_storage(running: Emulator, bucket: str) -> None:
    s3 = running.client("s3")
    s3.upload_fileobj(
        io.BytesIO(bytes(6 << 20)), bucket, "large", Config=TransferConfig(multipart_threshold=1)
    )
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/large")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="rows.csv", Body=b"a,b\n1,2\n", Tagging="some=tag")
    selected = s3.select_object_content(
        Bucket=bucket,
        Key="rows.csv",
        Expression="SELECT a FROM S3Object",
        ExpressionType="SQL",
        InputSerialization={"CSV": {"FileHeaderInfo": "USE"}},
        OutputSerialization={"JSON": {}},
    )
    assert list(selected["Payload"])
    presigned = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "copy"})
    urllib.request.urlopen(presigned, timeout=60).close()
    s3.list_objects_v2(Bucket="sagemaker-sample-data-us-east-1")
    for listed in ("list_object_versions", "get_bucket_acl", "list_multipart_uploads"):
        getattr(s3, listed)(Bucket=bucket)
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "copy"}]})


def use_identity(running: Emulator) -> None:
    """Act as a role that IAM knows, with keys that STS has issued."""
    iam, policy = running.client("iam"), json.dumps({"Version": "2012-10-17", "Statement": []})
    role = iam.create_role(RoleName="some", AssumeRolePolicyDocument=policy)["Role"]
    iam.put_role_policy(
        RoleName="some",
        PolicyName="some",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
            }
        ),
    )
    keys = running.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="some")
    issued = running.client("sts", account=keys["Credentials"]["AccessKeyId"])
    assert "assumed-role/some" in issued.get_caller_identity()["Arn"]
