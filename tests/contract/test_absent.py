"""Kinds of resources that cannot exist here: there are none, and that is the answer."""

import pytest
from botocore import xform_name

from emulator.operations import absent, registry
from emulator.protocol import model

SERVICE = model.sagemaker()
OPERATIONS = absent.handlers(SERVICE.operations, SERVICE.shapes, registry.load())
NATIVE = registry.load()


# Members whose patterns allow no common name.
SPECIAL = {
    "ClientRequestToken": "t" * 32,
    "DomainId": "d-abcdefabcdef",
    "EventId": "abcdefab-cdef-4bcd-8bcd-abcdefabcdef",
    "HubContentVersion": "1.0.0",
    "OperationId": "abcdefab-cdef-4bcd-8bcd-abcdefabcdef",
}


def required(operation):
    """Return values for an operation's required members that its shapes allow."""
    shape = SERVICE.shapes[SERVICE.operations[operation]["input"]["shape"]]
    return {
        name: _value(name, shape["members"][name]["shape"]) for name in shape.get("required", ())
    }


def _value(name, shape):
    described = SERVICE.shapes[shape]
    if "enum" in described:
        return described["enum"][0]
    if described["type"] == "map":
        return {"variant": "Retain"}
    if name.endswith("Arn"):
        return None
    return SPECIAL.get(name, "abcdefabcdef")


@pytest.fixture
def call(server, client):
    """Return a function that calls an operation; gives the reply or the error's code and text."""
    sagemaker = client()

    def call(operation, **members):
        try:
            return getattr(sagemaker, xform_name(operation))(**members)
        except sagemaker.exceptions.ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]

    return call


LISTS = sorted(
    name
    for name in OPERATIONS
    if name.startswith("List")
    and not SERVICE.shapes[SERVICE.operations[name]["input"]["shape"]].get("required")
)


@pytest.mark.parametrize("operation", LISTS)
def test_a_list_of_what_cannot_exist_is_empty(call, operation):
    reply = call(operation)
    del reply["ResponseMetadata"]
    assert list(reply.values()) == [[]]
    (member,) = reply
    output = SERVICE.shapes[SERVICE.operations[operation]["output"]["shape"]]
    assert SERVICE.shapes[output["members"][member]["shape"]]["type"] == "list"


def test_the_lists_are_those_that_a_clean_up_makes():
    assert {
        "ListMonitoringSchedules",
        "ListAutoMLJobs",
        "ListDomains",
        "ListFeatureGroups",
        "ListHubs",
        "ListCompilationJobs",
    } <= set(LISTS)
    assert len(LISTS) > 40


LOOK_UPS = sorted(
    name
    for name in OPERATIONS
    if name.startswith(("Describe", "Delete", "Stop"))
    and all(value is not None for value in required(name).values())
)


@pytest.mark.parametrize("operation", LOOK_UPS)
def test_a_look_up_finds_nothing_and_says_so_with_the_models_code(call, operation):
    code, message = call(operation, **required(operation))
    declared = {error["shape"] for error in SERVICE.operations[operation].get("errors", ())}
    waited_for = operation.endswith(("ProcessingJob", "TransformJob"))
    found = "ResourceNotFound" in declared and not waited_for
    assert code == ("ResourceNotFound" if found else "ValidationException")
    assert "abcdef" in message
    assert "validation error" not in message


def test_enough_look_ups_are_tried():
    assert len(LOOK_UPS) > 90


@pytest.mark.parametrize(
    "operation, members, code, sentence",
    [
        (
            "DescribeAutoMLJob",
            {"AutoMLJobName": "n"},
            "ResourceNotFound",
            "Amazon SageMaker can't find an AutoML job called n.",
        ),
        (
            "DescribeProcessingJob",
            {"ProcessingJobName": "n"},
            "ValidationException",
            "Could not find requested job with name: n",
        ),
        (
            "DescribeHyperParameterTuningJob",
            {"HyperParameterTuningJobName": "n"},
            "ResourceNotFound",
            "Amazon SageMaker can't find a tuning job called n. Type another name.",
        ),
        (
            "DescribeMonitoringSchedule",
            {"MonitoringScheduleName": "n"},
            "ResourceNotFound",
            "MonitoringSchedule n does not exist.",
        ),
        (
            "ListImageVersions",
            {"ImageName": "n"},
            "ResourceNotFound",
            "Image n does not exist.",
        ),
        (
            "ListPipelineExecutionSteps",
            {
                "PipelineExecutionArn": "arn:aws:sagemaker:us-west-2:123456789012:pipeline/p/"
                "execution/abcdefabcdef"
            },
            "ResourceNotFound",
            "PipelineExecution arn:aws:sagemaker:us-west-2:123456789012:pipeline/p/execution/"
            "abcdefabcdef does not exist.",
        ),
    ],
)
def test_what_is_looked_up_is_named(call, operation, members, code, sentence):
    assert call(operation, **members) == (code, sentence)


def test_what_would_make_one_stays_refused(call):
    code, _ = call("CreateDomain", DomainName="d", AuthMode="IAM", DefaultUserSettings={})
    assert code == "OperationNotEmulated"


@pytest.mark.parametrize("operation", ["ListModelMetadata", "ListResourceCatalogs"])
def test_what_aws_offers_to_everybody_is_not_said_to_be_nothing(call, operation):
    assert call(operation)[0] == "OperationNotEmulated"


def test_a_bad_request_is_a_bad_request_all_the_same(call):
    code, message = call("ListDomains", MaxResults=1000)
    assert code == "ValidationException"
    assert message.startswith("1 validation error detected: ")


def test_no_operation_is_answered_twice():
    assert OPERATIONS.keys() & NATIVE.keys() == set()
