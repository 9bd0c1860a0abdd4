"""Every request that is for SageMaker and no operation of ours is answered in SageMaker's form."""

import http.client
import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.exceptions import ClientError
from served import REGION, client, served

from emulator.call import Scope
from emulator.errors import ValidationError

SIGNED = f"AWS4-HMAC-SHA256 Credential=123456789012/20260101/{REGION}/%s/aws4_request, Signature=0"
LABELS = {"Arn": "arn:aws:x", "ResourceArn": "arn:aws:x"}


def storage(service: str, scope: Scope, environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "application/xml")])
    return [service.encode()]


def runtime(scope: Scope, environ: Any, start_response: Any, request_id: str) -> Iterable[bytes]:
    raise ValidationError("Endpoint not found.")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served({}, storage=storage, runtime=runtime) as base:
        yield base


def ask(
    url: str, method: str, path: str, service: str = "", **headers: str
) -> tuple[int, str, dict[str, str], bytes]:
    """Return status, content type, headers and body of the answer to a raw request."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if service:
        fields["Authorization"] = SIGNED % service
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request(method, path, b"{}" if method in ("POST", "PUT") else None, fields)
    response = connection.getresponse()
    received = {name.lower(): value for name, value in response.getheaders()}
    body = response.read()
    connection.close()
    return response.status, received.get("content-type", ""), received, body


@pytest.mark.parametrize("service", ["", "sagemaker"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize(
    "verb", ["invocations", "async-invocations", "invocations-response-stream"]
)
def test_another_method_than_post_on_an_endpoint_is_answered_as_the_runtime_does(
    url: str, service: str, method: str, verb: str
) -> None:
    status, kind, headers, body = ask(url, method, f"/endpoints/x/{verb}", service)
    assert (status, kind) == (400, "application/json")
    assert headers["x-amzn-errortype"] == "UnknownOperationException"
    assert len(headers["x-amzn-requestid"]) == 36
    assert json.loads(body) == {
        "__type": "UnknownOperationException",
        "message": f"SageMaker has no operation at {method} /endpoints/x/{verb}.",
    }


@pytest.mark.parametrize(
    "method, path", [("POST", "/endpoints/x/other"), ("GET", "/endpoints/"), ("POST", "/ping")]
)
def test_another_path_is_answered_as_the_runtime_does(url: str, method: str, path: str) -> None:
    status, kind, headers, _ = ask(url, method, path, "sagemaker")
    assert (status, kind) == (400, "application/json")
    assert headers["x-amzn-errortype"] == "UnknownOperationException"


def test_head_of_an_endpoint_has_no_body_and_says_why_in_its_headers(url: str) -> None:
    status, _, headers, body = ask(url, "HEAD", "/endpoints/x/invocations")
    assert (status, body) == (400, b"")
    assert headers["x-amzn-errortype"] == "UnknownOperationException"


def test_a_bucket_named_endpoints_stays_s3s(url: str) -> None:
    assert ask(url, "GET", "/endpoints/x/invocations", "s3")[3] == b"s3"
    assert ask(url, "GET", "/endpoints/x")[3] == b"s3"
    assert ask(url, "GET", "/endpoints")[3] == b"s3"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_the_control_plane_has_one_method_and_one_path(url: str, method: str) -> None:
    target = {"X_Amz_Target": "SageMaker.ListModels"}
    for verb, path in ((method, "/"), ("POST", "/models")):
        status, kind, headers, body = ask(url, verb, path, "sagemaker", **target)
        assert status == 400
        assert "json" in kind
        assert headers["x-amzn-errortype"] == "UnknownOperationException"
        assert json.loads(body)["message"] == (
            f"SageMaker.ListModels is called by POST /, not by {verb} {path}."
        )


@pytest.mark.parametrize(
    "method, path", [("POST", "/BatchPutMetrics"), ("PUT", "/BatchGetMetrics"), ("PUT", "/Batch")]
)
def test_the_metrics_service_has_a_method_for_each_path(url: str, method: str, path: str) -> None:
    status, _, headers, _ = ask(url, method, path, "sagemaker")
    assert (status, headers["x-amzn-errortype"]) == (400, "UnknownOperationException")


@pytest.mark.parametrize("target", ["", "SageMaker", "SageMaker.", "SageMaker.Nothing", "Other.X"])
def test_a_target_that_names_no_operation_is_refused(url: str, target: str) -> None:
    status, _, headers, body = ask(url, "POST", "/", "sagemaker", X_Amz_Target=target)
    assert (status, headers["x-amzn-errortype"]) == (400, "UnknownOperationException")
    assert repr(target) in json.loads(body)["message"]


def test_a_json_service_that_nobody_signed_for_is_refused_in_json(url: str) -> None:
    status, kind, _, body = ask(url, "POST", "/", X_Amz_Target="DynamoDB_20120810.ListTables")
    assert (status, json.loads(body)["__type"]) == (501, "ServiceNotEmulated")
    assert "json" in kind
    assert "'DynamoDB_20120810'" in json.loads(body)["message"]


NATIVE = ("sagemaker", "sagemaker-runtime", "sagemaker-metrics")
SERVICES = [
    name
    for name in botocore.session.get_session().get_available_services()
    if name.startswith("sagemaker") and name not in NATIVE
]


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_of_the_other_services_is_refused_by_its_name(
    url: str, service: str
) -> None:
    other = client(url, service, retries={"total_max_attempts": 3})
    methods = other.meta.method_to_api_mapping
    assert methods
    for method, operation in methods.items():
        shape = other.meta.service_model.operation_model(operation).input_shape
        arguments = {
            name: 1 if name in "xyz" else LABELS.get(name, "name")
            for name, member in (shape.members if shape else {}).items()
            if member.serialization.get("location") == "uri"
        }
        with pytest.raises(ClientError) as raised:
            getattr(other, method)(**arguments)
        response = raised.value.response
        assert response["Error"]["Code"] == "OperationNotEmulated"
        assert response["Error"]["Message"].startswith(f"{operation} of ")
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 501
        assert response["ResponseMetadata"]["RetryAttempts"] == 0
