"""Pipelines: definitions and their versions; nothing executes them."""

import json

import pytest

ROLE = "arn:aws:iam::123456789012:role/SageMaker"
DEFINITION = json.dumps({"Version": "2020-12-01", "Steps": []})
OTHER = json.dumps({"Version": "2020-12-01", "Steps": [], "Metadata": {"a": 1}})
NO_OBJECT = "Unable to parse pipeline definition. Expecting start of Json Object."


@pytest.fixture
def create(sagemaker):
    def create(name="Train", **members):
        given = members or {"PipelineDefinition": DEFINITION}
        return sagemaker.create_pipeline(PipelineName=name, RoleArn=ROLE, **given)

    return create


@pytest.fixture
def bucket(client):
    s3 = client("s3")
    s3.create_bucket(
        Bucket="definitions", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    return s3


def described(sagemaker, **which):
    return sagemaker.describe_pipeline(PipelineName="Train", **which)["PipelineDefinition"]


@pytest.mark.parametrize("definition", ["not json", "[]", "7", '{"a"', "[" * 100_000])
def test_a_definition_that_is_no_json_object_is_refused(
    sagemaker, create, assert_refused, definition
):
    assert_refused(lambda: create(PipelineDefinition=definition), "ValidationException", NO_OBJECT)
    create()
    assert_refused(
        lambda: sagemaker.update_pipeline(PipelineName="Train", PipelineDefinition=definition),
        "ValidationException",
        NO_OBJECT,
    )
    assert described(sagemaker) == DEFINITION


def test_a_definition_is_read_from_s3(sagemaker, create, bucket):
    bucket.put_object(Bucket="definitions", Key="a.json", Body=DEFINITION)
    bucket.put_object(Bucket="definitions", Key="b.json", Body=OTHER)
    place = {"Bucket": "definitions", "ObjectKey": "a.json"}
    create(PipelineDefinitionS3Location=place)
    assert described(sagemaker) == DEFINITION
    reply = sagemaker.update_pipeline(
        PipelineName="Train", PipelineDefinitionS3Location=place | {"ObjectKey": "b.json"}
    )
    assert reply["PipelineVersionId"] == 2
    assert described(sagemaker) == OTHER


def test_a_definition_is_read_from_a_version_of_an_object(sagemaker, create, bucket):
    bucket.put_bucket_versioning(
        Bucket="definitions", VersioningConfiguration={"Status": "Enabled"}
    )
    put = [bucket.put_object(Bucket="definitions", Key="k", Body=b) for b in (DEFINITION, OTHER)]
    place = {"Bucket": "definitions", "ObjectKey": "k"}
    create(PipelineDefinitionS3Location=place | {"VersionId": put[0]["VersionId"]})
    assert described(sagemaker) == DEFINITION
    with pytest.raises(sagemaker.exceptions.ClientError, match="Unable to read the pipeline"):
        create("Other", PipelineDefinitionS3Location=place | {"VersionId": "nonsense"})


@pytest.mark.parametrize(
    "bucket_name, key, sentence",
    [
        (
            "nowhere-at-all",
            "k",
            "Unable to read the pipeline definition: The S3 bucket 'nowhere-at-all' does not exist",
        ),
        (
            "definitions",
            "nothing",
            "Unable to read the pipeline definition: The S3 object 's3://definitions/nothing' does"
            " not exist",
        ),
        ("definitions", "latin", NO_OBJECT),
    ],
)
def test_a_definition_that_s3_does_not_have_is_refused(
    create, bucket, assert_refused, bucket_name, key, sentence
):
    bucket.put_object(Bucket="definitions", Key="latin", Body=b'{"a": "\xe9"}')
    place = {"Bucket": bucket_name, "ObjectKey": key}
    assert_refused(
        lambda: create(PipelineDefinitionS3Location=place), "ValidationException", sentence
    )


def test_exactly_one_definition_is_given(create, assert_refused):
    place = {"Bucket": "definitions", "ObjectKey": "k"}
    asked = "Specify either PipelineDefinition or PipelineDefinitionS3Location"
    assert_refused(lambda: create(PipelineDescription="none"), "ValidationException", f"{asked}.")
    assert_refused(
        lambda: create(PipelineDefinition="{}", PipelineDefinitionS3Location=place),
        "ValidationException",
        f"{asked}, not both.",
    )


@pytest.mark.parametrize("same", [{}, {"PipelineDefinition": DEFINITION}])
def test_an_update_without_another_definition_makes_no_version(
    sagemaker, create, same, assert_refused
):
    create()
    assert_refused(
        lambda: sagemaker.update_pipeline(
            PipelineName="Train", PipelineVersionAliases=["live"], **same
        ),
        "ValidationException",
        "Aliases can be given to a new definition only.",
    )
    sagemaker.update_pipeline(PipelineName="Train", PipelineDescription="new", **same)
    assert sagemaker.describe_pipeline(PipelineName="Train")["PipelineDescription"] == "new"
    versions = sagemaker.list_pipeline_versions(PipelineName="Train")["PipelineVersionSummaries"]
    assert [one["PipelineVersionId"] for one in versions] == [1]


def test_versions_are_found_by_number_and_alias(sagemaker, create, assert_refused):
    arn = create(PipelineDefinition=DEFINITION, PipelineVersionAliases=["live"])["PipelineArn"]
    sagemaker.update_pipeline(PipelineName="Train", PipelineDefinition=OTHER)
    assert described(sagemaker) == OTHER
    assert described(sagemaker, PipelineVersionId=1) == DEFINITION
    assert described(sagemaker, PipelineVersionAlias="live") == DEFINITION
    second = {"PipelineArn": arn, "PipelineVersionId": 2}
    move = {"PipelineVersionAliasOperations": {"Add": ["live"]}}
    assert_refused(
        lambda: sagemaker.update_pipeline_version(**second, **move),
        "ValidationException",
        "The alias live already belongs to another version of this pipeline.",
    )
    sagemaker.update_pipeline_version(
        PipelineArn=arn,
        PipelineVersionId=1,
        PipelineVersionAliasOperations={"Remove": ["live"]},
        PipelineVersionDisplayName="first",
    )
    sagemaker.update_pipeline_version(**second, **move)
    assert described(sagemaker, PipelineVersionAlias="live") == OTHER
    listed = sagemaker.list_pipeline_versions(PipelineName=arn, SortOrder="Ascending")
    shown = [
        (one["PipelineVersionId"], one.get("PipelineVersionDisplayName"), one["PipelineArn"])
        for one in listed["PipelineVersionSummaries"]
    ]
    assert shown == [(1, "first", arn), (2, None, arn)]
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        described(sagemaker, PipelineVersionId=3)


def test_a_retry_with_the_same_token_is_one_creation(sagemaker, create, assert_refused):
    token = {"PipelineDefinition": DEFINITION, "ClientRequestToken": "t" * 32}
    assert create(**token)["PipelineArn"] == create(**token)["PipelineArn"]
    assert_refused(
        lambda: create(**token | {"ClientRequestToken": "u" * 32}),
        "ValidationException",
        "Pipeline names must be unique within an AWS account and region. Pipeline with name"
        " (Train) already exists.",
    )


def test_a_pipeline_has_no_executions_and_gets_none(sagemaker, create):
    create()
    listed = sagemaker.list_pipeline_executions(PipelineName="Train")
    assert listed["PipelineExecutionSummaries"] == []
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.list_pipeline_executions(PipelineName="Nobody")
    with pytest.raises(sagemaker.exceptions.ClientError) as refusal:
        sagemaker.start_pipeline_execution(PipelineName="Train")
    assert refusal.value.response["Error"]["Code"] == "OperationNotEmulated"


def test_pipelines_are_listed_by_the_beginning_of_their_names(sagemaker, create):
    create("Train"), create("Test")
    listed = sagemaker.list_pipelines(PipelineNamePrefix="Tr")["PipelineSummaries"]
    assert [one["PipelineName"] for one in listed] == ["Train"]
