"""Resources that moto keeps, from boto3 through the front to the real storage."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from emulator.accelerators import Accelerators
from emulator.call import Call, Scope
from emulator.operations.delegated import DELEGATED, RESOURCES, keeps_tags_of
from emulator.protocol.front import create_app
from emulator.protocol.pages import create_pages
from emulator.protocol.parts import Parts
from emulator.serving import Server
from emulator.storage import Storage

ACCOUNT, REGION = "123456789012", "us-west-2"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/SageMaker"
TAG_OPERATIONS = frozenset({"AddTags", "DeleteTags", "ListTags"})
RESOURCES_OF_A_JOB = {
    "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
}
OUTPUT = {"MonitoringOutputs": [{"S3Output": {"S3Uri": "s3://b/k", "LocalPath": "/opt/ml/out"}}]}
INPUT = {"EndpointInput": {"EndpointName": "digits", "LocalPath": "/opt/ml/in"}}
TRUTH = {"GroundTruthS3Input": {"S3Uri": "s3://b/k"}}


def definition(prefix: str, application: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a monitoring job's definition; its names begin with the resource's."""
    return {
        f"{prefix}AppSpecification": application,
        f"{prefix}JobInput": source,
        f"{prefix}JobOutputConfig": OUTPUT,
        "JobResources": RESOURCES_OF_A_JOB,
        "RoleArn": ROLE,
    }


IMAGE = {"ImageUri": "image"}
CONFIGURED = {"ImageUri": "image", "ConfigUri": "s3://b/config"}
# Resource -> the member that names it, and what creating it takes besides.
CREATED: dict[str, tuple[str, dict[str, Any]]] = {
    "Experiment": ("ExperimentName", {}),
    "Trial": ("TrialName", {"ExperimentName": "parent"}),
    "TrialComponent": ("TrialComponentName", {"DisplayName": "shown"}),
    "ModelCard": ("ModelCardName", {"Content": "{}", "ModelCardStatus": "Draft"}),
    "ModelPackageGroup": ("ModelPackageGroupName", {"ModelPackageGroupDescription": "all"}),
    "ModelPackage": ("ModelPackageName", {"ModelPackageDescription": "one"}),
    "Pipeline": ("PipelineName", {"PipelineDefinition": "{}", "RoleArn": ROLE}),
    "DataQualityJobDefinition": (
        "JobDefinitionName",
        definition("DataQuality", IMAGE, INPUT),
    ),
    "ModelBiasJobDefinition": (
        "JobDefinitionName",
        definition("ModelBias", CONFIGURED, INPUT | TRUTH),
    ),
    "ModelExplainabilityJobDefinition": (
        "JobDefinitionName",
        definition("ModelExplainability", CONFIGURED, INPUT),
    ),
    "ModelQualityJobDefinition": (
        "JobDefinitionName",
        definition("ModelQuality", IMAGE, INPUT | TRUTH),
    ),
}


@pytest.fixture(scope="module")
def sagemaker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    storage = Storage(tmp_path_factory.mktemp("storage"))

    def no_call(operation: str, scope: Scope, request_id: str) -> Call:
        raise AssertionError("nothing is native here")

    parts = Parts(
        handlers={},
        delegated=DELEGATED | TAG_OPERATIONS,
        keeps_tags_of=keeps_tags_of,
        call=no_call,
        storage=storage.handle,
        runtime=lambda *request: (),
        pages=create_pages(health=dict, reset=storage.reset, accelerators=Accelerators()),
        account_of=storage.account_of,
        default_scope=Scope(ACCOUNT, REGION),
    )
    server = Server(create_app(parts), [("127.0.0.1", 0)], threads=4)
    server.start()
    host, port = server.addresses[0]
    client = boto3.client(
        "sagemaker",
        endpoint_url=f"http://{host}:{port}",
        region_name=REGION,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="secret",
    )
    client.create_experiment(ExperimentName="parent")
    yield client
    server.stop()
    storage.close()


def call(sagemaker: Any, operation: str, **members: Any) -> Any:
    """Call an operation by the model's name."""
    methods = {api: method for method, api in sagemaker.meta.method_to_api_mapping.items()}
    return getattr(sagemaker, methods[operation])(**members)


def test_every_delegated_resource_is_tried_here() -> None:
    assert CREATED.keys() == RESOURCES.keys()


@pytest.mark.parametrize("resource", sorted(CREATED))
def test_a_delegated_resource_is_described_as_it_was_created(sagemaker: Any, resource: str) -> None:
    key, members = CREATED[resource]
    created = call(sagemaker, f"Create{resource}", **{key: "ours"}, **members)
    arn = next(value for name, value in created.items() if name.endswith("Arn"))
    assert arn.startswith(f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{RESOURCES[resource].segment}/")
    described = call(sagemaker, f"Describe{resource}", **{key: "ours"})
    assert {name: described[name] for name in members} == members


@pytest.mark.parametrize("resource", sorted(CREATED))
def test_an_absent_delegated_resource_is_an_error_that_no_sdk_retries(
    sagemaker: Any, resource: str
) -> None:
    key, _ = CREATED[resource]
    with pytest.raises(ClientError) as raised:
        call(sagemaker, f"Describe{resource}", **{key: "absent"})
    response = raised.value.response
    assert response["Error"]["Code"] in ("ResourceNotFound", "ValidationException")
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_tags_of_a_delegated_resource_are_kept_with_it(sagemaker: Any) -> None:
    arn = sagemaker.create_experiment(ExperimentName="tagged")["ExperimentArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "owner", "Value": "me"}])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "owner", "Value": "me"}]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["owner"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == []


def test_a_request_is_checked_before_it_is_passed_on(sagemaker: Any) -> None:
    with pytest.raises(ClientError) as raised:
        sagemaker.create_experiment(ExperimentName="under_score")
    assert raised.value.response["Error"]["Code"] == "ValidationException"
    assert "at 'experimentName'" in raised.value.response["Error"]["Message"]
