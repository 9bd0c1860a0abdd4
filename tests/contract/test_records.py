"""What all records have in common: they are kept as given, by unique names, with tags."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.kinds import KINDS
from emulator.operations import record_kinds
from emulator.operations.records import Records
from emulator.protocol import model
from emulator.store.database import Database
from emulator.store.documents import Documents

ROLE = "arn:aws:iam::123456789012:role/SageMaker"
MACHINE = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
OUTPUT = {"MonitoringOutputs": [{"S3Output": {"S3Uri": "s3://b/k", "LocalPath": "/opt/ml/out"}}]}
INPUT = {"EndpointInput": {"EndpointName": "digits", "LocalPath": "/opt/ml/in"}}
TRUTH = {"GroundTruthS3Input": {"S3Uri": "s3://b/k"}}
SOURCE = {"SourceUri": "s3://b/k"}
IMAGE = {"ImageUri": "image"}
CONFIGURED = {"ImageUri": "image", "ConfigUri": "s3://b/config"}


def definition(prefix: str, application: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a monitoring job's definition; its names begin with the resource's."""
    return {
        f"{prefix}AppSpecification": application,
        f"{prefix}JobInput": source,
        f"{prefix}JobOutputConfig": OUTPUT,
        "JobResources": {"ClusterConfig": MACHINE},
        "RoleArn": ROLE,
    }


TOKEN = {"ClientRequestToken": "t" * 32}
# Kind -> the member that names it, and what creating one takes besides.
CREATED: dict[str, tuple[str, dict[str, Any]]] = {
    "Experiment": ("ExperimentName", {"Description": "all of it"}),
    "Trial": ("TrialName", {"ExperimentName": "parent"}),
    "TrialComponent": (
        "TrialComponentName",
        {"DisplayName": "shown", "Parameters": {"rate": {"NumberValue": 0.1}}},
    ),
    "ModelCard": ("ModelCardName", {"Content": "{}", "ModelCardStatus": "Draft"}),
    "ModelPackageGroup": ("ModelPackageGroupName", {"ModelPackageGroupDescription": "all"}),
    "ModelPackage": ("ModelPackageName", {"ModelPackageDescription": "one"}),
    "Pipeline": ("PipelineName", {"PipelineDefinition": "{}", "RoleArn": ROLE}),
    "Action": ("ActionName", {"Source": SOURCE, "ActionType": "t", "Status": "Completed"}),
    "Context": ("ContextName", {"Source": SOURCE, "ContextType": "t", "Properties": {"a": "b"}}),
    "DataQualityJobDefinition": ("JobDefinitionName", definition("DataQuality", IMAGE, INPUT)),
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
EXTRA = {"CreatePipeline": TOKEN, "DeletePipeline": TOKEN}
NAMED_BY_ARN = {"UpdateModelPackage"}
kinds = pytest.mark.parametrize("kind", sorted(CREATED))


@pytest.fixture
def call(sagemaker: Any) -> Any:
    """Return a function that calls an operation by the model's name."""
    methods = {api: method for method, api in sagemaker.meta.method_to_api_mapping.items()}

    def call(operation: str, **members: Any) -> Any:
        return getattr(sagemaker, methods[operation])(**members, **EXTRA.get(operation, {}))

    return call


@pytest.fixture
def create(call: Any, sagemaker: Any) -> Any:
    """Return a function that creates a record of a kind; gives its ARN."""
    sagemaker.create_experiment(ExperimentName="parent")

    def create(kind: str, name: str = "Ours", **members: Any) -> str:
        key, needed = CREATED[kind]
        reply = call(f"Create{kind}", **({key: name} | needed | members))
        return next(value for member, value in reply.items() if member.endswith("Arn"))

    return create


def refused(do: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refusal:
        do()
    response = refusal.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return response["Error"]["Code"], response["Error"]["Message"]


def declared(operation: str) -> set[str]:
    """Return the codes of errors that the service model gives an operation."""
    described = model.sagemaker().operations[operation]
    return {error["shape"] for error in described.get("errors", [])}


def test_every_kind_of_record_is_tried_here() -> None:
    everything = [one for one in vars(record_kinds).values() if isinstance(one, Records)]
    names = {one.kind.name for one in (*everything, *record_kinds.JOB_DEFINITION_RECORDS)}
    # Artifacts and associations have no names; test_lineage.py is about them.
    assert names - {"Artifact", "Association"} == CREATED.keys()


@kinds
def test_a_record_is_described_as_it_was_created(call: Any, create: Any, kind: str) -> None:
    key, members = CREATED[kind]
    arn = create(kind)
    segment = next(one.arn_segment for one in KINDS if one.name == kind)
    name = "Ours" if kind == "Pipeline" else "ours"
    assert arn == f"arn:aws:sagemaker:us-west-2:123456789012:{segment}/{name}"
    described = call(f"Describe{kind}", **{key: "Ours"})
    assert {member: described[member] for member in (key, *members)} == {key: "Ours", **members}
    assert described.get("CreatedBy", {}) == {}


@kinds
def test_a_taken_name_is_refused_and_the_record_stays(call: Any, create: Any, kind: str) -> None:
    key, _ = CREATED[kind]
    create(kind)
    token = {"ClientRequestToken": "u" * 32} if kind == "Pipeline" else {}
    before = call(f"Describe{kind}", **{key: "Ours"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(EXTRA, "CreatePipeline", token)
        code, message = refused(lambda: create(kind))
    assert "already exists" in message
    expected = {"ResourceInUse", "ConflictException"} & declared(f"Create{kind}")
    # The SDKs wait for this code from pipelines, whatever the model declares.
    wanted = "ValidationException" if kind == "Pipeline" or not expected else expected.pop()
    assert code == wanted
    after = call(f"Describe{kind}", **{key: "Ours"})
    assert before | {"ResponseMetadata": None} == after | {"ResponseMetadata": None}


@pytest.mark.parametrize(
    "verb, kind",
    [
        (verb, kind)
        for verb in ("Describe", "Update", "Delete")
        for kind in sorted(CREATED)
        if f"{verb}{kind}" in model.sagemaker().operations
    ],
)
def test_an_absent_record_is_not_found_with_the_models_code(
    call: Any, arn: Any, kind: str, verb: str
) -> None:
    operation = f"{verb}{kind}"
    key, absent = CREATED[kind][0], "absent"
    if operation in NAMED_BY_ARN:
        key, absent = "ModelPackageArn", arn("model-package", "absent")
    code, message = refused(lambda: call(operation, **{key: absent}))
    wanted = "ResourceNotFound" if "ResourceNotFound" in declared(operation) else ""
    assert code == (wanted or "ValidationException")
    assert message.endswith(" does not exist.")
    assert "absent" in message


@kinds
def test_a_name_means_the_same_in_any_case(call: Any, create: Any, kind: str) -> None:
    create(kind)
    key, _ = CREATED[kind]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(EXTRA, "CreatePipeline", {"ClientRequestToken": "u" * 32})
        assert "already exists" in refused(lambda: create(kind, "OURS"))[1]
    assert call(f"Describe{kind}", **{key: "oURS"})[key] == "Ours"


@kinds
def test_a_deleted_record_is_gone_and_its_name_is_free(call: Any, create: Any, kind: str) -> None:
    key, _ = CREATED[kind]
    create(kind, Tags=[{"Key": "k", "Value": "v"}])
    call(f"Delete{kind}", **{key: "Ours"})
    refused(lambda: call(f"Describe{kind}", **{key: "Ours"}))
    arn = create(kind)
    assert call("ListTags", ResourceArn=arn)["Tags"] == []


@kinds
def test_tags_of_a_record_are_kept_from_its_creation(call: Any, create: Any, kind: str) -> None:
    arn = create(kind, Tags=[{"Key": "owner", "Value": "me"}])
    assert call("ListTags", ResourceArn=arn)["Tags"] == [{"Key": "owner", "Value": "me"}]
    call("AddTags", ResourceArn=arn, Tags=[{"Key": "stage", "Value": "test"}])
    call("DeleteTags", ResourceArn=arn, TagKeys=["owner"])
    assert call("ListTags", ResourceArn=arn)["Tags"] == [{"Key": "stage", "Value": "test"}]


@kinds
def test_records_are_listed_in_pages_each_once(
    sagemaker: Any, call: Any, create: Any, kind: str
) -> None:
    names = [f"name-{number:02d}" for number in range(12)]
    for name in names:
        create(kind, name)
    methods = {api: method for method, api in sagemaker.meta.method_to_api_mapping.items()}
    paginator = sagemaker.get_paginator(methods[f"List{kind}s"])
    pages = list(paginator.paginate(SortBy="Name", SortOrder="Ascending"))
    result = paginator.result_keys[0].parsed["value"]
    listed = [
        next(value for member, value in one.items() if member.endswith(f"{kind}Name"))
        if not kind.endswith("JobDefinition")
        else one["MonitoringJobDefinitionName"]
        for page in pages
        for one in page[result]
    ]
    assert [name for name in listed if name != "parent"] == names
    assert [len(page[result]) for page in pages] in ([10, 2], [10, 3])


@kinds
def test_records_of_one_region_or_account_are_not_another_ones(
    client: Any, create: Any, kind: str
) -> None:
    create(kind)
    key, _ = CREATED[kind]
    for elsewhere in (client(region="eu-west-1"), client(account="210987654321")):
        methods = {api: method for method, api in elsewhere.meta.method_to_api_mapping.items()}
        describe = getattr(elsewhere, methods[f"Describe{kind}"])
        refused(lambda describe=describe: describe(**{key: "Ours"}))


def test_records_outlive_the_emulator(server: Any, create: Any, arn: Any) -> None:
    create("Experiment", Tags=[{"Key": "k", "Value": "v"}])
    (path,) = server.database.rows("SELECT file FROM pragma_database_list WHERE name = 'main'")[0]
    again = Database(Path(path))
    try:
        record = Documents(again).find_arn(arn("experiment", "ours"))
        assert record is not None
        assert record.document["Description"] == "all of it"
        assert Documents(again).tags(record.arn) == {"k": "v"}
    finally:
        again.close()
