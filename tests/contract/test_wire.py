"""What travels: dispatch, scopes, replies and errors, through boto3 and through raw HTTP."""

import http.client
import json
import logging
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from served import ACCOUNT, DEFAULT, REGION, client, echo, served

from emulator.call import Call, Document, Handler, Scope
from emulator.errors import (
    ModelError,
    OperationNotEmulated,
    ResourceInUse,
    ResourceLimitExceeded,
    ResourceNotFound,
    ValidationError,
    ValidationException,
)
from emulator.protocol import model

AT = 1529870369.986
BODIES_READ: list[tuple[str, str, bytes]] = []


def describe(call: Call, request: Document) -> Document:
    return {
        "TrainingJobName": request["TrainingJobName"],
        "TrainingJobArn": f"{call.scope.account}/{call.scope.region}",
        "CreationTime": AT,
        "VpcConfig": {},
        "ModelArtifacts": {},
        "HyperParameters": {},
        "SecondaryStatusTransitions": [],
        "FailureReason": None,
        "Phase": "of the store, not of the reply",
    }


def fail(call: Call, request: Document) -> Document:
    """Raise the error that the request's name asks for."""
    errors: dict[str, Exception] = {
        "taken": ResourceInUse("taken"),
        "absent": ResourceNotFound("absent"),
        "quota": ResourceLimitExceeded("quota"),
        "invalid": ValidationException("invalid"),
        "bug": ZeroDivisionError("a bug"),
    }
    raise errors[request["TrainingJobName"]]


def store(service: str, scope: Scope, environ: Any, start_response: Any) -> Iterable[bytes]:
    """Stand for moto: answers with what it was asked, as JSON."""
    body = environ["wsgi.input"].read()
    BODIES_READ.append((service, environ["PATH_INFO"], body))
    if environ["PATH_INFO"] == "/broken/key":
        raise ZeroDivisionError("a bug")
    told = {"ExperimentArn": f"{service}/{scope.account}/{scope.region}"}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]


def invoke(scope: Scope, environ: Any, start_response: Any, request_id: str) -> Iterable[bytes]:
    """Stand for the data path: knows no endpoint but one."""
    body = environ["wsgi.input"].read()
    match environ["PATH_INFO"].split("/"):
        case [_, _, "digits", "invocations"]:
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [scope.account.encode(), b" ", body]
        case [_, _, "broken", "invocations"]:
            raise ModelError(
                "it broke", OriginalStatusCode=502, OriginalMessage="oh", ErrorCode="E"
            )
        case [_, _, _, "async-invocations"]:
            raise OperationNotEmulated("InvokeEndpointAsync is not emulated.")
    raise ValidationError("Endpoint not found.")


def issued(key: str) -> str | None:
    return {"AKIAISSUED": "222222222222"}.get(key)


NATIVE: dict[str, Handler] = {
    "DescribeTrainingJob": describe,
    "StopTrainingJob": fail,
    "CreateModel": echo,
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(
        NATIVE,
        storage=store,
        runtime=invoke,
        account_of=issued,
    ) as base:
        yield base


@pytest.fixture(scope="module")
def sagemaker(url: str) -> Any:
    return client(url)


def http_call(
    url: str, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are; header names may use underscores."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    response = connection.getresponse()
    fields = {name.lower(): value for name, value in response.getheaders()}
    content = response.read()
    connection.close()
    return response.status, fields, content


def json_call(url: str, operation: str, body: bytes) -> tuple[int, dict[str, Any]]:
    status, _, content = http_call(url, "POST", "/", body, X_Amz_Target=f"SageMaker.{operation}")
    return status, json.loads(content)


def test_a_reply_holds_the_members_of_the_output_shape_and_nothing_empty(sagemaker: Any) -> None:
    reply = sagemaker.describe_training_job(TrainingJobName="digits")
    metadata = reply.pop("ResponseMetadata")
    assert reply.pop("CreationTime") == datetime.fromtimestamp(AT, UTC)
    assert reply.pop("TrainingJobArn") == f"{ACCOUNT}/{REGION}"
    assert reply == {
        "TrainingJobName": "digits",
        # Required by the output shape, so it stays even when it is empty.
        "ModelArtifacts": {},
        "HyperParameters": {},
        "SecondaryStatusTransitions": [],
    }
    assert metadata["HTTPHeaders"]["content-type"] == "application/x-amz-json-1.1"
    assert str(uuid.UUID(metadata["RequestId"])) == metadata["RequestId"]


def test_times_travel_as_numbers(url: str) -> None:
    _, reply = json_call(url, "DescribeTrainingJob", b'{"TrainingJobName":"digits"}')
    assert reply["CreationTime"] == AT


@pytest.mark.parametrize(
    "key, account",
    [
        ("123456789012", "123456789012"),
        ("AKIAISSUED", "222222222222"),
        ("AKIAUNKNOWN", DEFAULT.account),
        ("1234567890123", DEFAULT.account),
    ],
)
def test_the_access_key_chooses_the_account(url: str, key: str, account: str) -> None:
    reply = client(url, key=key).describe_training_job(TrainingJobName="digits")
    assert reply["TrainingJobArn"] == f"{account}/{REGION}"


def test_an_unsigned_call_acts_in_the_default_scope(url: str) -> None:
    _, reply = json_call(url, "DescribeTrainingJob", b'{"TrainingJobName":"digits"}')
    assert reply["TrainingJobArn"] == f"{DEFAULT.account}/{DEFAULT.region}"


@pytest.mark.parametrize(
    "name, exception, key",
    [
        ("taken", "ResourceInUse", "Message"),
        ("absent", "ResourceNotFound", "Message"),
        ("quota", "ResourceLimitExceeded", "Message"),
        ("invalid", "ValidationException", "message"),
    ],
)
def test_errors_reach_the_client_as_its_own_classes(
    url: str, sagemaker: Any, name: str, exception: str, key: str
) -> None:
    with pytest.raises(ClientError) as raised:
        sagemaker.stop_training_job(TrainingJobName=name)
    assert type(raised.value) is getattr(sagemaker.exceptions, exception, ClientError)
    assert raised.value.response["Error"]["Code"] == exception
    assert raised.value.response["Error"]["Message"] == name
    status, body = json_call(url, "StopTrainingJob", b'{"TrainingJobName":"%s"}' % name.encode())
    assert (status, body) == (400, {"__type": exception, key: name})


def test_a_bug_is_an_internal_failure_with_its_traceback_in_the_log(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    sagemaker = client(url, retries={"total_max_attempts": 1})
    with pytest.raises(ClientError) as raised:
        sagemaker.stop_training_job(TrainingJobName="bug")
    response = raised.value.response
    assert response["Error"]["Code"] == "InternalFailure"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert response["ResponseMetadata"]["RequestId"] in response["Error"]["Message"]
    assert "ZeroDivisionError: a bug" in caplog.text


def test_an_operation_that_is_not_emulated_is_refused_once(sagemaker: Any) -> None:
    with pytest.raises(ClientError) as raised:
        sagemaker.create_app(DomainId="d-1", AppType="JupyterServer", AppName="a")
    response = raised.value.response
    assert response["Error"]["Code"] == "OperationNotEmulated"
    assert response["Error"]["Message"].startswith("CreateApp is not emulated.")
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert response["ResponseMetadata"]["RetryAttempts"] == 0


def test_every_operation_without_a_handler_is_refused(url: str) -> None:
    refused = [name for name in model.sagemaker().operations if name not in NATIVE]
    assert len(refused) > 300
    for name in refused:
        status, reply = json_call(url, name, b"{}")
        assert (status, reply["__type"]) == (501, "OperationNotEmulated")
        assert reply["message"].startswith(f"{name} is not emulated.")


@pytest.mark.parametrize("target", ["SageMaker.MakeCoffee", "SageMaker.", "SageMaker"])
def test_an_operation_that_does_not_exist_is_unknown(url: str, target: str) -> None:
    headers = {"X_Amz_Target": target, "Authorization": signed_for("sagemaker")}
    status, _, content = http_call(url, "POST", "/", b"{}", **headers)
    assert status == 400
    assert json.loads(content)["__type"] == "UnknownOperationException"


def signed_for(service: str) -> str:
    credential = f"{ACCOUNT}/20260101/{REGION}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"


@pytest.mark.parametrize(
    "body, message",
    [
        (b"{", "The request body is not JSON: "),
        (b"\xff\xfe", "The request body is not JSON: "),
        (b'{"TrainingJobName": NaN}', "The request body is not JSON: "),
        (b'"text"', "STRING_VALUE found where a structure is expected."),
        (b"[]", "Start of list found where not expected."),
        (b'{"TrainingJobName": 7}', "NUMBER_VALUE can not be converted to a String."),
        (b'{"TrainingJobName": true}', "TRUE_VALUE can not be converted to a String."),
        (b'{"TrainingJobName": {}}', "Start of structure or map found where not expected."),
        (b'{"TrainingJobName": ["a"]}', "Start of list found where not expected."),
    ],
)
def test_what_is_not_the_models_json_is_a_serialization_error(
    url: str, body: bytes, message: str
) -> None:
    status, reply = json_call(url, "DescribeTrainingJob", body)
    assert status == 400
    assert reply["__type"] == "SerializationException"
    assert reply["message"].startswith(message)


def test_members_that_the_model_does_not_know_are_ignored(url: str) -> None:
    body = b'{"TrainingJobName": "digits", "FromANewerModel": {"a": [1]}}'
    status, reply = json_call(url, "DescribeTrainingJob", body)
    assert (status, reply["TrainingJobName"]) == (200, "digits")


def test_a_body_in_chunks_is_read_whole(url: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    pieces = iter([b'{"TrainingJob', b'Name": "digits"}'])
    headers = {"X-Amz-Target": "SageMaker.DescribeTrainingJob"}
    connection.request("POST", "/", pieces, headers, encode_chunked=True)
    reply = json.loads(connection.getresponse().read())
    connection.close()
    assert reply["TrainingJobName"] == "digits"


@pytest.mark.parametrize(
    "method, path, headers, service",
    [
        ("GET", "/bucket/key", {}, "s3"),
        ("PUT", "/bucket", {"Authorization": signed_for("s3")}, "s3"),
        ("GET", "/", {"Authorization": signed_for("s3")}, "s3"),
        ("GET", "/", {"Authorization": "AWS AKIA:signature"}, "s3"),
        ("GET", "/b/k?X-Amz-Credential=AKIA%2F20260101%2Feu-west-1%2Fs3%2Faws4_request", {}, "s3"),
        ("POST", "/endpoints/digits/invocations", {"Authorization": signed_for("s3")}, "s3"),
        ("GET", "/endpoints/digits", {}, "s3"),
        ("POST", "/", {"Authorization": signed_for("sts")}, "sts"),
        ("POST", "/", {"Content_Type": "application/x-www-form-urlencoded"}, "sts"),
        ("POST", "/", {"Authorization": signed_for("monitoring")}, "monitoring"),
        ("POST", "/", {"X_Amz_Target": "Logs_20140328.PutLogEvents"}, "logs"),
    ],
)
def test_other_services_are_told_apart_by_signature_target_and_path(
    url: str, method: str, path: str, headers: dict[str, str], service: str
) -> None:
    status, _, _ = http_call(url, method, path, b"body", **headers)
    assert status == 200
    assert BODIES_READ[-1] == (service, path.partition("?")[0], b"body")


def test_an_invocation_reaches_the_runtime_with_its_body(url: str) -> None:
    runtime = client(url, "sagemaker-runtime")
    reply = runtime.invoke_endpoint(EndpointName="digits", Body=b"\x00\xff")
    assert reply["Body"].read() == ACCOUNT.encode() + b" \x00\xff"


def test_an_unsigned_invocation_is_served_too(url: str) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    status, _, content = http_call(url, "POST", "/endpoints/digits/invocations", b"a=b", **form)
    assert (status, content) == (200, DEFAULT.account.encode() + b" a=b")


def test_runtime_errors_carry_their_code_and_members(url: str) -> None:
    runtime = client(url, "sagemaker-runtime")
    with pytest.raises(runtime.exceptions.ModelError) as raised:
        runtime.invoke_endpoint(EndpointName="broken", Body=b"")
    assert raised.value.response["Error"]["Message"] == "it broke"
    assert raised.value.response["OriginalStatusCode"] == 502
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 424
    _, headers, content = http_call(url, "POST", "/endpoints/broken/invocations")
    assert headers["x-amzn-errortype"] == "ModelError"
    assert list(json.loads(content)) == [
        "ErrorCode",
        "Message",
        "OriginalMessage",
        "OriginalStatusCode",
    ]
    with pytest.raises(runtime.exceptions.ValidationError):
        runtime.invoke_endpoint(EndpointName="absent", Body=b"")


def test_a_runtime_operation_that_is_not_emulated_is_refused_once(url: str) -> None:
    runtime = client(url, "sagemaker-runtime")
    with pytest.raises(ClientError) as raised:
        runtime.invoke_endpoint_async(EndpointName="digits", InputLocation="s3://bucket/key")
    response = raised.value.response
    assert response["Error"]["Code"] == "OperationNotEmulated"
    assert response["Error"]["Message"] == "InvokeEndpointAsync is not emulated."
    assert response["ResponseMetadata"]["RetryAttempts"] == 0


@pytest.mark.parametrize(
    "service, method, arguments",
    [
        ("dynamodb", "list_tables", {}),
        ("sqs", "list_queues", {}),
        ("ec2", "describe_instances", {}),
        ("rds", "describe_db_instances", {}),
        ("batch", "describe_job_queues", {}),
        ("route53", "list_hosted_zones", {}),
    ],
)
def test_a_service_that_is_not_emulated_is_refused_once_in_its_own_format(
    url: str, service: str, method: str, arguments: dict[str, Any]
) -> None:
    other = client(url, service)
    with pytest.raises(ClientError) as raised:
        getattr(other, method)(**arguments)
    response = raised.value.response
    assert response["Error"]["Code"] == "ServiceNotEmulated"
    assert f"'{service}'" in response["Error"]["Message"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert response["ResponseMetadata"]["RetryAttempts"] == 0


def test_the_feature_store_is_refused_although_it_signs_as_sagemaker(url: str) -> None:
    with pytest.raises(ClientError) as raised:
        client(url, "sagemaker-featurestore-runtime").get_record(
            FeatureGroupName="group", RecordIdentifierValueAsString="1"
        )
    assert raised.value.response["Error"]["Code"] == "OperationNotEmulated"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_a_bug_of_storage_is_an_error_that_s3_clients_can_read(url: str) -> None:
    s3 = client(url, "s3", retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    with pytest.raises(ClientError) as raised:
        s3.get_object(Bucket="broken", Key="key")
    assert raised.value.response["Error"]["Code"] == "InternalFailure"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_browser_is_told_what_this_is(url: str, method: str) -> None:
    status, headers, content = http_call(url, method, "/", Accept="text/html")
    assert status == 200
    assert headers["content-type"].startswith("text/plain")
    assert (b"docs/compatibility.md" in content) is (method == "GET")


def test_the_emulators_own_pages_speak_json(url: str) -> None:
    status, _, content = http_call(url, "GET", "/_emulator/health")
    assert (status, json.loads(content)) == (200, {"status": "ok"})
    assert http_call(url, "POST", "/_emulator/reset")[0] == 200
    status, headers, _ = http_call(url, "GET", "/_emulator/nothing")
    assert (status, headers["content-type"]) == (404, "application/json")


def test_each_call_is_one_line_in_the_log(sagemaker: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="emulator.protocol")
    sagemaker.describe_training_job(TrainingJobName="digits")
    with pytest.raises(ClientError):
        sagemaker.stop_training_job(TrainingJobName="taken")
    lines = [r.getMessage() for r in caplog.records if r.name == "emulator.protocol.control"]
    assert [line.rsplit(" ", 2)[0] for line in lines] == [
        f"DescribeTrainingJob {ACCOUNT}/{REGION} digits 200",
        f"StopTrainingJob {ACCOUNT}/{REGION} taken 400 ResourceInUse",
    ]


MEMBERS = st.sampled_from(
    [
        "ModelName",
        "PrimaryContainer",
        "Image",
        "Environment",
        "Containers",
        "Tags",
        "Key",
        "VpcConfig",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | MEMBERS, inner),
    max_leaves=8,
)
BODIES = st.binary() | st.dictionaries(MEMBERS, JSON).map(lambda value: json.dumps(value).encode())


OPERATIONS = st.sampled_from(
    ["CreateModel", "CreateExperiment", "ListTags", "CreateApp", "Nothing"]
)
TYPED = {
    "OperationNotEmulated",
    "SerializationException",
    "UnknownOperationException",
    "ValidationException",
}


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(operation=OPERATIONS, body=BODIES)
def test_whatever_is_posted_the_answer_is_json_and_no_internal_failure(
    url: str, operation: str, body: bytes
) -> None:
    status, reply = json_call(url, operation, body)
    assert status in (200, 400, 501)
    assert status == 200 or reply["__type"] in TYPED
