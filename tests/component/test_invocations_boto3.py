"""InvokeEndpoint as boto3 sees it: the real client, the real front, the real data path."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from invocation_endpoint import SCOPE, Container, always, echo

from emulator.inference.proxy import Invocations
from emulator.protocol.front import create_app
from emulator.protocol.parts import Parts
from emulator.routing import Route, RoutingTable, Variant
from emulator.serving import Server


def unused(*_: Any) -> Any:
    raise AssertionError("an invocation needs the runtime alone")


class Runtime:
    """A boto3 client, and the container it reaches."""

    def __init__(self) -> None:
        self.table = RoutingTable()
        self.invocations = Invocations(self.table)
        parts = Parts(
            handlers={},
            absent=dict,
            call=unused,
            storage=unused,
            runtime=self.invocations.handle,
            pages=unused,
            account_of=lambda _: None,
            default_scope=SCOPE,
        )
        self.server = Server(create_app(parts))
        host, port = self.server.listen("127.0.0.1", 0)
        self.client: Any = boto3.client(
            "sagemaker-runtime",
            endpoint_url=f"http://{host}:{port}",
            region_name=SCOPE.region,
            aws_access_key_id=SCOPE.account,
            aws_secret_access_key="none",
            config=Config(retries={"total_max_attempts": 3, "mode": "standard"}),
        )
        self.containers: list[Container] = []

    def serve(self, answer: Callable[[Any], object]) -> Container:
        container = Container(answer)
        self.containers.append(container)
        variant = Variant("AllTraffic", 1.0, (container.target(),))
        self.table.publish(Route(SCOPE, "ep", (variant,)))
        return container

    def close(self) -> None:
        self.client.close()
        self.server.stop(5)
        self.invocations.close()
        for container in self.containers:
            container.close()


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    made = Runtime()
    yield made
    made.close()


def test_a_reply_carries_body_type_variant_and_request_id(runtime: Runtime) -> None:
    runtime.serve(echo)
    reply = runtime.client.invoke_endpoint(EndpointName="ep", Body=b"\x00\xff" * 700)
    assert reply["Body"].read() == b"\x00\xff" * 700
    assert (reply["ContentType"], reply["InvokedProductionVariant"]) == ("a/b", "AllTraffic")
    assert len(reply["ResponseMetadata"]["RequestId"]) == 36


def test_a_failing_model_raises_model_error_with_its_members_and_is_not_retried(
    runtime: Runtime,
) -> None:
    container = runtime.serve(always(b"HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nsorry"))
    with pytest.raises(runtime.client.exceptions.ModelError) as failed:
        runtime.client.invoke_endpoint(EndpointName="ep", Body=b"x")
    response = failed.value.response
    assert response["OriginalStatusCode"] == 503
    assert response["OriginalMessage"] == "sorry"
    assert response["LogStreamArn"].endswith(":log-group:/aws/sagemaker/Endpoints/ep")
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert 'Received server error (503) from primary with message "sorry"' in str(failed.value)
    assert container.requests == 1


@pytest.mark.parametrize(
    "arguments, status, text",
    [
        ({"EndpointName": "none"}, 400, "Endpoint none of account 123456789012 not found."),
        ({"TargetModel": "a.tar.gz"}, 400, "Endpoint ep is not a multi-model endpoint"),
        ({"TargetVariant": "other"}, 400, "Variant other not found for Request "),
        ({"Body": b"x" * 6_291_457}, 413, "HTTP content length exceeded 6291456 bytes."),
    ],
)
def test_a_refused_invocation_raises_the_error_of_the_service(
    runtime: Runtime, arguments: dict[str, Any], status: int, text: str
) -> None:
    container = runtime.serve(echo)
    with pytest.raises(ClientError) as refused:
        runtime.client.invoke_endpoint(**{"EndpointName": "ep", "Body": b"x", **arguments})
    response = refused.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert response["ResponseMetadata"]["RetryAttempts"] == 0
    assert response["Error"]["Message"].startswith(text)
    if status == 400:
        assert response["Error"]["Code"] == "ValidationError"
    assert container.requests == 0


@pytest.mark.parametrize(
    "call, arguments",
    [
        ("invoke_endpoint_async", {"InputLocation": "s3://bucket/key"}),
        ("invoke_endpoint_with_response_stream", {"Body": b"x"}),
    ],
)
def test_an_operation_that_is_not_there_yet_is_refused_by_name_at_once(
    runtime: Runtime, call: str, arguments: dict[str, Any]
) -> None:
    runtime.serve(echo)
    with pytest.raises(ClientError) as refused:
        getattr(runtime.client, call)(EndpointName="ep", **arguments)
    response = refused.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert response["ResponseMetadata"]["RetryAttempts"] == 0
    assert response["Error"]["Code"] == "OperationNotEmulated"
    assert "is not emulated" in response["Error"]["Message"]


def test_attributes_that_are_not_ascii_are_refused_and_those_of_a_container_come_back_as_sent(
    runtime: Runtime,
) -> None:
    header = "X-Amzn-SageMaker-Custom-Attributes: café".encode()
    container = runtime.serve(always(b"HTTP/1.1 204 No Content\r\n" + header + b"\r\n\r\n"))
    with pytest.raises(ClientError, match=r"at 'customAttributes' failed to satisfy constraint"):
        runtime.client.invoke_endpoint(EndpointName="ep", Body=b"", CustomAttributes="café")
    assert container.requests == 0
    for _ in range(2):
        reply = runtime.client.invoke_endpoint(
            EndpointName="ep", Body=b"", CustomAttributes="plain"
        )
        # botocore reads a header's bytes as Latin-1.
        assert reply["CustomAttributes"].encode("latin-1").decode() == "café"
        assert reply["Body"].read() == b""


@pytest.mark.parametrize("size", [1_000, 6_000_000])
def test_a_refusal_reaches_a_client_that_is_still_sending(runtime: Runtime, size: int) -> None:
    runtime.serve(echo)
    body = b"x" * size
    for _ in range(2):
        with pytest.raises(ClientError) as refused:
            runtime.client.invoke_endpoint(EndpointName="none", Body=body)
        assert refused.value.response["Error"]["Code"] == "ValidationError"
        assert refused.value.response["ResponseMetadata"]["RetryAttempts"] == 0
        assert runtime.client.invoke_endpoint(EndpointName="ep", Body=body)["Body"].read() == body
