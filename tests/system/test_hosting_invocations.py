"""InvokeEndpoint on real containers: variants, headers, any bytes, errors (contract A7)."""

import contextlib
import http.client
import json
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from endpoint_data import refusal
from running_emulator import Emulator

pytestmark = pytest.mark.docker

COMMAND = "application/x-command"


@pytest.fixture(scope="module")
def endpoint(emulator: Emulator) -> Iterator[str]:
    """Variants A, B and C at weights 3, 1 and 0, for all tests of this file."""
    model = emulator.model()
    name = emulator.deploy(
        emulator.config(
            {"VariantName": "A", "ModelName": model, "InitialVariantWeight": 3},
            {"VariantName": "B", "ModelName": model, "InitialVariantWeight": 1},
            {"VariantName": "C", "ModelName": model, "InitialVariantWeight": 0},
        )
    )
    yield name
    emulator.delete(name)


def model_error(emulator: Emulator, endpoint: str, **command: Any) -> dict[str, Any]:
    """Return the response of the ModelError that a command leads to."""
    runtime = emulator.client("sagemaker-runtime")
    with pytest.raises(runtime.exceptions.ModelError) as caught:
        runtime.invoke_endpoint(
            EndpointName=endpoint, Body=json.dumps(command).encode(), ContentType=COMMAND
        )
    response: dict[str, Any] = caught.value.response
    return response


def log_group_of(endpoint: str) -> str:
    return f"arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/{endpoint}"


def tail_of(endpoint: str) -> str:
    return (
        " See https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
        f"#logEventViewer:group=/aws/sagemaker/Endpoints/{endpoint} in account 123456789012 for"
        " more information."
    )


def test_variants_share_invocations_by_weight(emulator: Emulator, endpoint: str) -> None:
    def call(_: int) -> str:
        return str(emulator.invoke(endpoint, b"x")["InvokedProductionVariant"])

    with ThreadPoolExecutor(4) as pool:
        shares = Counter(pool.map(call, range(400)))
    assert shares["C"] == 0
    # 400 draws at 3/4: the standard deviation is 8.7, so this fails once in a million runs.
    assert 257 <= shares["A"] <= 343, shares


@pytest.mark.parametrize("variant", ["A", "B", "C"])
def test_a_target_variant_overrides_the_weights(
    emulator: Emulator, endpoint: str, variant: str
) -> None:
    invoked = {
        emulator.invoke(endpoint, b"x", TargetVariant=variant)["InvokedProductionVariant"]
        for _ in range(5)
    }
    assert invoked == {variant}


def test_an_unknown_target_variant_is_refused(emulator: Emulator, endpoint: str) -> None:
    code, message = refusal(emulator.invoke, endpoint=endpoint, TargetVariant="D")
    assert code == "ValidationError"
    assert message.startswith("Variant D not found for Request ")


@pytest.mark.parametrize("size", [0, 1, 65_536, 5_000_000])
def test_any_bytes_go_through_both_ways(emulator: Emulator, endpoint: str, size: int) -> None:
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    reply = emulator.invoke(endpoint, body, ContentType="application/octet-stream")
    assert reply["Body"].read() == body
    assert reply["ContentType"] == "application/octet-stream"


def test_a_body_beyond_the_limit_is_refused(emulator: Emulator, endpoint: str) -> None:
    with pytest.raises(ClientError) as caught:
        emulator.invoke(endpoint, bytes(6_291_457))
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert response["Error"]["Message"] == "HTTP content length exceeded 6291456 bytes."


def test_only_the_supported_headers_reach_the_container(emulator: Emulator, endpoint: str) -> None:
    address = urllib.parse.urlsplit(emulator.url).netloc
    with contextlib.closing(http.client.HTTPConnection(address, timeout=60)) as connection:
        connection.request(
            "POST",
            f"/endpoints/{endpoint}/invocations",
            b'{"headers": true}',
            {
                "Content-Type": COMMAND,
                "Accept": "application/json",
                "X-Amzn-SageMaker-Custom-Attributes": "trace=1",
                "X-Amzn-SageMaker-Inference-Id": "id-1",
                "X-Amzn-SageMaker-Session-Id": "NEW_SESSION",
                "X-Amzn-SageMaker-Target-Variant": "B",
                "Authorization": "AWS4-HMAC-SHA256 Credential=123456789012/20200101/us-east-1/"
                "sagemaker/aws4_request, SignedHeaders=host, Signature=0",
                "Cookie": "mine",
                "X-Custom": "mine",
            },
        )
        response = connection.getresponse()
        seen = json.loads(response.read())["headers"]
    assert response.status == 200
    assert response.headers["x-Amzn-Invoked-Production-Variant"] == "B"
    seen.pop("Host")
    assert {name.lower(): value for name, value in seen.items()} == {
        "content-type": COMMAND,
        "content-length": "17",
        "accept": "application/json",
        "x-amzn-sagemaker-custom-attributes": "trace=1",
        "x-amzn-sagemaker-inference-id": "id-1",
        "x-amzn-sagemaker-session-id": "NEW_SESSION",
    }


def test_custom_attributes_come_back_only_if_the_container_sets_them(
    emulator: Emulator, endpoint: str
) -> None:
    assert emulator.invoke(endpoint, b"x", CustomAttributes="a=b")["CustomAttributes"] == "a=b"
    assert "CustomAttributes" not in emulator.invoke(endpoint, b"x")


@pytest.mark.parametrize(
    "status, side",
    [(400, "client"), (404, "client"), (500, "server"), (503, "server"), (302, "server")],
)
def test_a_refusal_of_the_container_is_a_model_error_with_its_words(
    emulator: Emulator, endpoint: str, status: int, side: str
) -> None:
    error = model_error(emulator, endpoint, status=status, reply="no such fruit: ünï")
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert error["OriginalStatusCode"] == status
    assert error["OriginalMessage"] == "no such fruit: ünï"
    assert error["LogStreamArn"] == log_group_of(endpoint)
    assert error["Error"]["Message"] == (
        f'Received {side} error ({status}) from primary with message "no such fruit: ünï".'
        + tail_of(endpoint)
    )


def test_a_container_that_dies_within_an_invocation_is_a_model_error(emulator: Emulator) -> None:
    name = emulator.deploy(emulator.config({"ModelName": emulator.model()}))
    error = model_error(emulator, name, exit=3)
    assert error["OriginalStatusCode"] == 0
    assert error["OriginalMessage"].startswith(
        f"Amazon SageMaker could not get a response from the {name} endpoint."
    )
    emulator.delete(name)


def test_an_invocation_that_takes_too_long_is_a_model_error(
    launched: Callable[..., Emulator],
) -> None:
    emulator = launched("--invocation-timeout", "1")
    name = emulator.deploy(emulator.config({"ModelName": emulator.model()}))
    error = model_error(emulator, name, sleep=2)
    text = (
        "Your invocation timed out while waiting for a response from container primary. Review"
        " the latency metrics for each container in Amazon CloudWatch, resolve the issue, and try"
        " again."
    )
    assert error["OriginalStatusCode"] == 0
    assert error["OriginalMessage"] == text
    assert error["Error"]["Message"] == (
        f'Received server error (0) from primary with message "{text}".' + tail_of(name)
    )
    assert emulator.command(name, reply="{}") == {}


def test_an_unknown_endpoint_is_a_validation_error(emulator: Emulator) -> None:
    assert refusal(emulator.invoke, endpoint="nobody") == (
        "ValidationError",
        "Endpoint nobody of account 123456789012 not found.",
    )


def test_one_region_does_not_see_the_endpoints_of_another(
    emulator: Emulator, endpoint: str
) -> None:
    elsewhere = emulator.client("sagemaker-runtime", region="eu-west-1")
    with pytest.raises(ClientError, match=f"Endpoint {endpoint} of account 123456789012 not found"):
        elsewhere.invoke_endpoint(EndpointName=endpoint, Body=b"x")


def test_a_model_that_is_single_has_no_target_model(emulator: Emulator, endpoint: str) -> None:
    assert refusal(emulator.invoke, endpoint=endpoint, TargetModel="m.tar.gz") == (
        "ValidationError",
        f"Endpoint {endpoint} is not a multi-model endpoint and does not support target model"
        " header.",
    )
