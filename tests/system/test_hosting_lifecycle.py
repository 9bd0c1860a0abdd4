"""Endpoints from CreateModel to DeleteEndpoint, on real containers (contract C1, C2, C4)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from endpoint_data import archive, left_of, pauses, refusal, upload
from running_emulator import IMAGE, Emulator, eventually, unique

pytestmark = pytest.mark.docker

PING_FAILED = (
    "The primary container for production variant V1 did not pass the ping health check. Please"
    " check CloudWatch logs for this endpoint."
)


def failure(emulator: Emulator, model: str, **variant: Any) -> str:
    """Return the FailureReason of an endpoint that is deployed in vain, and delete it."""
    name = emulator.deploy(emulator.config({"ModelName": model, **variant}))
    described = emulator.endpoint(name)
    assert described["EndpointStatus"] == "Failed"
    eventually(lambda: not left_of(emulator, name), what="nothing is left of what failed")
    code, message = refusal(emulator.invoke, endpoint=name)
    assert (code, message) == (
        "ValidationError",
        f"Endpoint {name} of account 123456789012 not found.",
    )
    emulator.delete(name)
    return str(described["FailureReason"])


def test_an_endpoint_is_described_by_what_serves_it(emulator: Emulator) -> None:
    model = emulator.model()
    config = emulator.config({"ModelName": model, "InitialVariantWeight": 2.5})
    name = emulator.deploy(config)
    described = emulator.endpoint(name)
    assert described["EndpointStatus"] == "InService"
    assert described["EndpointConfigName"] == config
    assert "FailureReason" not in described
    [variant] = described["ProductionVariants"]
    [image] = variant.pop("DeployedImages")
    assert variant == {
        "VariantName": "V1",
        "CurrentWeight": 2.5,
        "DesiredWeight": 2.5,
        "CurrentInstanceCount": 1,
        "DesiredInstanceCount": 1,
    }
    assert image["SpecifiedImage"] == IMAGE
    assert image["ResolvedImage"].startswith(IMAGE.removesuffix(":latest") + "@sha256:")
    emulator.delete(name)


def test_an_endpoint_is_creating_until_ping_answers_200(emulator: Emulator) -> None:
    model = emulator.model(Environment={"READY_AFTER": "1.5"})
    name, config = unique("late"), emulator.config({"ModelName": model})
    emulator.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=config)
    eventually(lambda: emulator.containers(name=name), what="the container runs")
    described = emulator.endpoint(name)
    assert described["EndpointStatus"] == "Creating"
    assert "ProductionVariants" not in described
    assert refusal(emulator.invoke, endpoint=name) == (
        "ValidationError",
        f"Endpoint {name} of account 123456789012 not found.",
    )
    code, message = refusal(emulator.client("sagemaker").delete_endpoint, EndpointName=name)
    assert code == "ValidationException"
    assert message.startswith("Cannot update in-progress endpoint")
    assert emulator.settled(name)["EndpointStatus"] == "InService"
    assert emulator.command(name, reply="{}") == {}
    emulator.delete(name)


@pytest.mark.parametrize(
    "environment, detail",
    [
        (
            {"START": "print('no weights here', flush=True); os._exit(3)"},
            " The container exited with code 3. Its last words: no weights here",
        ),
        ({"START": "os.kill(1, 9); os._exit(4)"}, " The container exited with code 4."),
    ],
)
def test_a_container_that_dies_before_it_is_healthy_fails_the_endpoint(
    emulator: Emulator, environment: dict[str, str], detail: str
) -> None:
    assert failure(emulator, emulator.model(Environment=environment)) == PING_FAILED + detail


def test_a_container_that_never_answers_ping_fails_the_endpoint(
    launched: Callable[..., Emulator],
) -> None:
    emulator = launched("--ping-timeout", "2")
    assert failure(emulator, emulator.model(Environment={"PING": "500"})) == PING_FAILED


def test_an_image_that_is_nowhere_fails_the_endpoint(emulator: Emulator) -> None:
    model = emulator.model(Image="123456789012.dkr.ecr.us-east-1.amazonaws.com/nowhere:1")
    assert failure(emulator, model).startswith(
        "Please make sure all images included in the model for the production variant V1 exist,"
        " and that the execution role used to create the model has permissions to access them."
    )


def test_an_image_without_a_serve_command_fails_the_endpoint(emulator: Emulator) -> None:
    reason = failure(emulator, emulator.model(Image="sagemaker-emulator/base:latest"))
    assert reason.startswith(PING_FAILED + " The container could not be started: ")
    assert "serve" in reason


@pytest.mark.parametrize("source", ["archive", "prefix"])
def test_a_model_that_was_deleted_after_create_model_fails_the_endpoint(
    emulator: Emulator, source: str
) -> None:
    url = upload(emulator, archive({"weights": b"1"}), "m/model.tar.gz")
    bucket, key = url.removeprefix("s3://").split("/", 1)
    data: dict[str, Any] = {"ModelDataUrl": url}
    if source == "prefix":
        url = f"s3://{bucket}/m/"
        where = {"S3Uri": url, "S3DataType": "S3Prefix", "CompressionType": "None"}
        data = {"ModelDataSource": {"S3DataSource": where}}
    model = emulator.model(**data)
    emulator.client("s3").delete_object(Bucket=bucket, Key=key)
    assert failure(emulator, model) == (
        f'Failed to download model data for container "container_1" from URL: "{url}". Please'
        " ensure that there is an object located at the URL and that the role passed to"
        " CreateModel has permissions to download the object."
    )


@pytest.mark.parametrize(
    "content",
    [b"no archive", b"", archive({"weights": bytes(9000)})[:40], archive({"../evil": b"1"})],
    ids=["text", "empty", "cut off", "unsafe"],
)
def test_what_is_no_archive_fails_the_endpoint(emulator: Emulator, content: bytes) -> None:
    url = upload(emulator, content)
    assert failure(emulator, emulator.model(ModelDataUrl=url)) == (
        f'Failed to extract model data archive for container "container_1" from URL "{url}".'
        " Please ensure that the object located at the URL is a valid tar.gz archive."
    )


def test_create_model_checks_that_the_data_is_there(emulator: Emulator) -> None:
    bucket = emulator.bucket()
    absent = f"s3://{bucket}/absent.tar.gz"
    assert refusal(emulator.model, ModelDataUrl=absent) == (
        "ValidationException",
        f"Could not find model data at {absent}.",
    )
    code, message = refusal(emulator.model, ModelDataUrl="s3://no-such-bucket-of-ours/m.tar.gz")
    assert code == "ValidationException"
    assert message.startswith(
        "Could not access model data at s3://no-such-bucket-of-ours/m.tar.gz. Please ensure that"
        ' the role "arn:aws:iam::123456789012:role/service-role/SageMaker" exists'
    )


def test_a_container_sees_the_model_read_only_with_its_directories(emulator: Emulator) -> None:
    files = {"model.json": b"{}", "code/deep/er/inference.py": b"pass", "empty/.keep": b""}
    model = emulator.model(ModelDataUrl=upload(emulator, archive(files)))
    name = emulator.deploy(emulator.config({"ModelName": model}))
    assert emulator.command(name, list="/opt/ml/model")["files"] == sorted(files)
    refused = emulator.command(name, write="/opt/ml/model/more")["written"]
    assert "Read-only file system" in refused
    emulator.delete(name)


def test_a_model_may_be_a_prefix_of_plain_objects(emulator: Emulator) -> None:
    bucket = emulator.bucket()
    for key in ("m/weights.bin", "m/code/inference.py", "mother/other"):
        emulator.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")
    source = {
        "S3Uri": f"s3://{bucket}/m/",
        "S3DataType": "S3Prefix",
        "CompressionType": "None",
    }
    model = emulator.model(ModelDataSource={"S3DataSource": source})
    name = emulator.deploy(emulator.config({"ModelName": model}))
    found = emulator.command(name, list="/opt/ml/model")["files"]
    assert found == ["code/inference.py", "weights.bin"]
    emulator.delete(name)


def test_a_model_without_data_has_an_empty_directory(emulator: Emulator) -> None:
    name = emulator.deploy(emulator.config({"ModelName": emulator.model()}))
    assert emulator.command(name, list="/opt/ml/model")["files"] == []
    emulator.delete(name)


def test_a_container_sees_its_environment_and_an_accelerator_only_if_it_has_one(
    emulator: Emulator,
) -> None:
    model = emulator.model(Environment={"MINE": "a b=c"})
    name = emulator.deploy(
        emulator.config(
            {"ModelName": model}, {"ModelName": model, "AcceleratorType": "ml.eia2.medium"}
        )
    )
    seen = []
    for variant in ("V1", "V2"):
        reply = emulator.invoke(
            name,
            b'{"environment": true}',
            ContentType="application/x-command",
            TargetVariant=variant,
        )
        seen.append(reply["Body"].read())
    assert all(b'"MINE": "a b=c"' in each and b'"AWS_REGION": "us-east-1"' in each for each in seen)
    present = b'"SAGEMAKER_INFERENCE_ACCELERATOR_PRESENT": "true"'
    assert [present in each for each in seen] == [False, True]
    emulator.delete(name)


def test_what_a_container_writes_is_in_cloudwatch_logs(emulator: Emulator) -> None:
    model = emulator.model(Environment={"START": "print('loading the model', flush=True)"})
    name = emulator.deploy(emulator.config({"ModelName": model}))
    emulator.invoke(name, b"12345")
    group = f"/aws/sagemaker/Endpoints/{name}"
    eventually(
        lambda: emulator.log_lines(group) == ["loading the model", "invoked with 5 bytes"],
        what="both lines",
    )
    [stream] = emulator.client("logs").describe_log_streams(logGroupName=group)["logStreams"]
    variant, instance = stream["logStreamName"].split("/")
    assert variant == "V1"
    assert instance.startswith("i-")
    emulator.delete(name)
    assert len(emulator.log_lines(group)) == 2, "the log outlives the endpoint"


def test_several_endpoints_come_and_go_at_once(emulator: Emulator) -> None:
    config = emulator.config({"ModelName": emulator.model()})

    def live(number: int) -> str:
        name = emulator.deploy(config)
        emulator.invoke(name, b"x")
        emulator.delete(name)
        return name

    with ThreadPoolExecutor(6) as pool:
        names = list(pool.map(live, range(6)))
    assert [left_of(emulator, name) for name in names] == [[]] * 6


def test_one_name_serves_in_two_regions_and_two_accounts(emulator: Emulator) -> None:
    name = unique("everywhere")
    scopes = [
        {"region": "us-east-1", "account": "123456789012"},
        {"region": "eu-west-1", "account": "123456789012"},
        {"region": "us-east-1", "account": "210987654321"},
    ]
    for number, scope in enumerate(scopes):
        sagemaker = emulator.client("sagemaker", **scope)
        sagemaker.create_model(
            ModelName=name,
            PrimaryContainer={"Image": IMAGE, "Environment": {"SCOPE": str(number)}},
            ExecutionRoleArn=f"arn:aws:iam::{scope['account']}:role/R",
        )
        sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[
                {
                    "VariantName": "V1",
                    "ModelName": name,
                    "InitialInstanceCount": 1,
                    "InstanceType": "ml.m5.large",
                }
            ],
        )
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)

    def scope_of(scope: dict[str, str]) -> bytes:
        runtime = emulator.client("sagemaker-runtime", **scope)
        reply = runtime.invoke_endpoint(
            EndpointName=name,
            Body=b'{"environment": true}',
            ContentType="application/x-command",
        )
        body: bytes = reply["Body"].read()
        return body

    for number, scope in enumerate(scopes):
        sagemaker = emulator.client("sagemaker", **scope)
        eventually(
            lambda sagemaker=sagemaker: (
                sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService"
            )
        )
        assert f'"SCOPE": "{number}"'.encode() in scope_of(scope)
    emulator.client("sagemaker", **scopes[0]).delete_endpoint(EndpointName=name)
    eventually(lambda: emulator.gone(name))
    assert b'"SCOPE": "1"' in scope_of(scopes[1])
    assert b'"SCOPE": "2"' in scope_of(scopes[2])
    for scope in scopes[1:]:
        emulator.client("sagemaker", **scope).delete_endpoint(EndpointName=name)
    eventually(lambda: not left_of(emulator, name))


def test_a_deleted_endpoint_leaves_nothing_behind(launched: Callable[..., Emulator]) -> None:
    emulator = launched(EMULATOR_POOL_SIZE="0")
    url = upload(emulator, archive({"weights": b"1"}))
    model = emulator.model(ModelDataUrl=url)
    name = emulator.deploy(
        emulator.config({"ModelName": model, "InitialInstanceCount": 2}, {"ModelName": model})
    )
    assert len(emulator.containers(name=name)) == 3
    assert len(pauses(emulator)) == 3
    emulator.containers(name=name)[0].remove(force=True, v=True)
    eventually(lambda: len(emulator.containers(name=name)) == 3, what="it is started again")
    emulator.delete(name)
    assert left_of(emulator, name) == []
    assert pauses(emulator) == set()
    assert refusal(emulator.invoke, endpoint=name)[0] == "ValidationError"
    emulator.deploy(emulator.config({"ModelName": model}), name)
    assert emulator.command(name, list="/opt/ml/model")["files"] == ["weights"]


def test_a_server_that_ignores_sigterm_delays_not_even_its_own_deletion(
    launched: Callable[..., Emulator],
) -> None:
    emulator = launched("--serving-stop-grace", "5")
    deaf = emulator.model(Environment={"START": "signal.signal(signal.SIGTERM, signal.SIG_IGN)"})
    name = emulator.deploy(emulator.config({"ModelName": deaf}))
    [stubborn] = emulator.containers(name=name)
    emulator.client("sagemaker").delete_endpoint(EndpointName=name)
    eventually(lambda: emulator.gone(name))
    assert refusal(emulator.invoke, endpoint=name)[0] == "ValidationError"
    emulator.deploy(emulator.config({"ModelName": emulator.model()}), name)
    assert stubborn.id in {each.id for each in emulator.containers(name=name)}
    assert emulator.command(name)["hostname"]
    eventually(lambda: len(emulator.containers(name=name)) == 1, what="the old one is gone")
    assert stubborn.id not in {each.id for each in emulator.containers(name=name)}
    assert emulator.command(name)["hostname"]
    assert "goes on after SIGTERM. It is waited for until" in emulator.log.read_text()


def test_what_is_leaving_when_the_emulator_stops_stops_with_it(
    launched: Callable[..., Emulator],
) -> None:
    emulator = launched()
    name = emulator.deploy(emulator.config({"ModelName": emulator.model()}))
    emulator.client("sagemaker").delete_endpoint(EndpointName=name)
    emulator.stop()
    assert emulator.containers(name=name) == []


def test_an_invocation_under_way_ends_before_its_endpoint(emulator: Emulator) -> None:
    name = emulator.deploy(emulator.config({"ModelName": emulator.model()}))
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(emulator.command, name, begin="/tmp/begun/slow", sleep=1.5)
        eventually(lambda: emulator.command(name, list="/tmp/begun")["files"] == ["slow"])
        emulator.delete(name)
        assert slow.result()["hostname"]
