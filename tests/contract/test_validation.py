"""Every rule of contract A2, through boto3 with its own checks off."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from botocore.exceptions import ClientError
from served import client, served

TRAINING_JOB: dict[str, Any] = {
    "TrainingJobName": "digits",
    "RoleArn": "arn:aws:iam::123456789012:role/SageMaker",
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/output"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    "InputDataConfig": [
        {
            "ChannelName": "train",
            "DataSource": {
                "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/train"}
            },
        }
    ],
}
ENDPOINT_CONFIG: dict[str, Any] = {
    "EndpointConfigName": "digits",
    "ProductionVariants": [
        {
            "VariantName": "AllTraffic",
            "ModelName": "digits",
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
        }
    ],
}
REQUESTS = {
    "CreateTrainingJob": TRAINING_JOB,
    "CreateEndpointConfig": ENDPOINT_CONFIG,
    "ListTrainingJobs": {},
    "ListTags": {"ResourceArn": "arn:aws:sagemaker:us-west-2:123456789012:model/digits"},
}
METHODS = {
    "CreateTrainingJob": "create_training_job",
    "CreateEndpointConfig": "create_endpoint_config",
    "ListTrainingJobs": "list_training_jobs",
    "ListTags": "list_tags",
}
REPLIES: dict[str, dict[str, Any]] = {
    "CreateTrainingJob": {"TrainingJobArn": "arn"},
    "CreateEndpointConfig": {"EndpointConfigArn": "arn"},
    "ListTrainingJobs": {"TrainingJobSummaries": []},
    "ListTags": {"Tags": []},
}
NAME_PATTERN = "^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
S3_PATTERN = "^(https|s3)://([^/]+)/?(.*)$"


@pytest.fixture(scope="module")
def sagemaker() -> Iterator[Any]:
    handlers = {name: (lambda call, request, name=name: REPLIES[name]) for name in REPLIES}
    with served(handlers) as url:
        yield client(url)


def changed(operation: str, path: str, value: Any) -> dict[str, Any]:
    """Return the valid request with one member replaced, or removed by ``...``."""
    request = deepcopy(REQUESTS[operation])
    *parents, last = path.split(".")
    inner: Any = request
    for parent in parents:
        inner = inner[int(parent)] if isinstance(inner, list) else inner[parent]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return request


def refusal(sagemaker: Any, operation: str, request: dict[str, Any]) -> str:
    """Return the message with which a request is refused."""
    with pytest.raises(ClientError) as refused:
        getattr(sagemaker, METHODS[operation])(**request)
    response = refused.value.response
    assert response["Error"]["Code"] == "ValidationException"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["ResponseMetadata"]["RetryAttempts"] == 0
    message: str = response["Error"]["Message"]
    return message


ONE_RULE = [
    (
        "CreateTrainingJob",
        "TrainingJobName",
        "under_score",
        "Value 'under_score' at 'trainingJobName' failed to satisfy constraint: "
        f"Member must satisfy regular expression pattern: {NAME_PATTERN}",
    ),
    (
        "CreateTrainingJob",
        "RoleArn",
        ...,
        "Value null at 'roleArn' failed to satisfy constraint: Member must not be null",
    ),
    (
        "CreateTrainingJob",
        "AlgorithmSpecification.TrainingInputMode",
        "Teleport",
        "Value 'Teleport' at 'algorithmSpecification.trainingInputMode' failed to satisfy "
        "constraint: Member must satisfy enum value set: [Pipe, File, FastFile]",
    ),
    (
        "CreateTrainingJob",
        "AlgorithmSpecification.TrainingImage",
        "i" * 256,
        f"Value '{'i' * 256}' at 'algorithmSpecification.trainingImage' failed to satisfy "
        "constraint: Member must have length less than or equal to 255",
    ),
    (
        "CreateTrainingJob",
        "StoppingCondition.MaxRuntimeInSeconds",
        0,
        "Value '0' at 'stoppingCondition.maxRuntimeInSeconds' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1",
    ),
    (
        "ListTrainingJobs",
        "MaxResults",
        101,
        "Value '101' at 'maxResults' failed to satisfy constraint: "
        "Member must have value less than or equal to 100",
    ),
    (
        "ListTags",
        "MaxResults",
        49,
        "Value '49' at 'maxResults' failed to satisfy constraint: "
        "Member must have value greater than or equal to 50",
    ),
    (
        "CreateTrainingJob",
        "InputDataConfig.0.ChannelName",
        ...,
        "Value null at 'inputDataConfig.1.member.channelName' failed to satisfy constraint: "
        "Member must not be null",
    ),
    (
        "CreateTrainingJob",
        "InputDataConfig.0.DataSource.S3DataSource.S3Uri",
        "file:///tmp",
        "Value 'file:///tmp' at 'inputDataConfig.1.member.dataSource.s3DataSource.s3Uri' failed to "
        f"satisfy constraint: Member must satisfy regular expression pattern: {S3_PATTERN}",
    ),
    (
        "CreateTrainingJob",
        "InputDataConfig",
        [],
        "Value '[]' at 'inputDataConfig' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1",
    ),
    (
        "CreateEndpointConfig",
        "ProductionVariants.0.ModelName",
        "-digits",
        "Value '-digits' at 'productionVariants.1.member.modelName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: "
        "^[a-zA-Z0-9]([\\-a-zA-Z0-9]*[a-zA-Z0-9])?",
    ),
    (
        "CreateTrainingJob",
        "HyperParameters",
        {"epochs": "1", "optimizer": "s\ngd"},
        "Value '{epochs=1, optimizer=s\ngd}' at 'hyperParameters' failed to satisfy constraint: "
        "Map value must satisfy constraint: [Member must have length less than or equal to 2500, "
        "Member must have length greater than or equal to 0, "
        "Member must satisfy regular expression pattern: .*]",
    ),
    (
        "CreateTrainingJob",
        "HyperParameters",
        {"k" * 257: "1"},
        f"Value '{{{'k' * 257}=1}}' at 'hyperParameters' failed to satisfy constraint: "
        "Map key must satisfy constraint: [Member must have length less than or equal to 256, "
        "Member must have length greater than or equal to 0, "
        "Member must satisfy regular expression pattern: .*]",
    ),
    (
        "CreateTrainingJob",
        "Tags",
        [{"Key": "owner", "Value": "me!"}],
        "Value 'me!' at 'tags.1.member.value' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: ^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$",
    ),
]


@pytest.mark.parametrize("operation, path, value, item", ONE_RULE)
def test_a_broken_rule_is_worded_as_the_service_words_it(
    sagemaker: Any, operation: str, path: str, value: Any, item: str
) -> None:
    message = refusal(sagemaker, operation, changed(operation, path, value))
    assert message == f"1 validation error detected: {item}"


def test_the_unknown_instance_type_is_refused_with_the_known_ones_listed(sagemaker: Any) -> None:
    path = "ProductionVariants.0.InstanceType"
    request = changed("CreateEndpointConfig", path, "ml.t3.medium.huge")
    message = refusal(sagemaker, "CreateEndpointConfig", request)
    before, _, listed = message.partition("Member must satisfy enum value set: ")
    assert before == (
        "1 validation error detected: Value 'ml.t3.medium.huge' at "
        "'productionVariants.1.member.instanceType' failed to satisfy constraint: "
    )
    assert listed.startswith("[")
    assert listed.endswith("]")
    assert "ml.m5.large" in listed.strip("[]").split(", ")


def test_all_broken_rules_are_told_at_once(sagemaker: Any) -> None:
    request = changed("CreateTrainingJob", "TrainingJobName", "-" * 64)
    request["ResourceConfig"]["InstanceCount"] = -1
    del request["RoleArn"]
    message = refusal(sagemaker, "CreateTrainingJob", request)
    head, _, items = message.partition(": ")
    assert head == "4 validation errors detected"
    value = "-" * 64
    assert sorted(items.split("; ")) == sorted(
        [
            f"Value '{value}' at 'trainingJobName' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {NAME_PATTERN}",
            f"Value '{value}' at 'trainingJobName' failed to satisfy constraint: "
            "Member must have length less than or equal to 63",
            "Value '-1' at 'resourceConfig.instanceCount' failed to satisfy constraint: "
            "Member must have value greater than or equal to 0",
            "Value null at 'roleArn' failed to satisfy constraint: Member must not be null",
        ]
    )


VALID = [
    ("CreateTrainingJob", "TrainingJobName", "a" * 63),
    ("CreateTrainingJob", "TrainingJobName", "1--a-B"),
    ("CreateTrainingJob", "ResourceConfig.InstanceType", "local"),
    ("CreateTrainingJob", "ResourceConfig.InstanceType", "local_gpu"),
    ("CreateEndpointConfig", "ProductionVariants.0.InstanceType", "local"),
    ("CreateEndpointConfig", "ProductionVariants.0.AcceleratorType", "ml.eia1.large"),
    ("CreateEndpointConfig", "ProductionVariants.0.AcceleratorType", "local_sagemaker_notebook"),
    ("CreateTrainingJob", "Tags", [{"Key": "größe 日本", "Value": ""}]),
    ("CreateTrainingJob", "HyperParameters", {"sagemaker_program": '"train.py"', "": ""}),
    ("ListTrainingJobs", "MaxResults", 100),
]


@pytest.mark.parametrize("operation, path, value", VALID)
def test_what_keeps_every_rule_reaches_its_handler(
    sagemaker: Any, operation: str, path: str, value: Any
) -> None:
    reply = getattr(sagemaker, METHODS[operation])(**changed(operation, path, value))
    del reply["ResponseMetadata"]
    assert reply == REPLIES[operation]
