"""The model registry: groups, their versions, and packages without a group."""

from concurrent.futures import ThreadPoolExecutor

import pytest

SPECIFICATION = {
    "Containers": [{"Image": "image", "ModelDataUrl": "s3://b/model.tar.gz"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


@pytest.fixture
def group(sagemaker):
    sagemaker.create_model_package_group(ModelPackageGroupName="Digits")
    return "Digits"


@pytest.fixture
def register(sagemaker, group):
    """Return a function that registers a version; gives its ARN."""

    def register(**members):
        asked = {"ModelPackageGroupName": group, "InferenceSpecification": SPECIFICATION}
        return sagemaker.create_model_package(**asked | members)["ModelPackageArn"]

    return register


def names(reply):
    return [one["ModelPackageArn"].partition("/")[2] for one in reply["ModelPackageSummaryList"]]


def test_versions_count_up_and_a_number_is_given_once(sagemaker, register, arn):
    assert [register(), register()] == [arn("model-package", f"digits/{n}") for n in (1, 2)]
    sagemaker.delete_model_package(ModelPackageName=arn("model-package", "digits/2"))
    assert register() == arn("model-package", "digits/3")


def test_a_version_is_described_with_what_the_registry_adds(sagemaker, register):
    described = sagemaker.describe_model_package(ModelPackageName=register())
    assert described["ModelPackageGroupName"] == "Digits"
    assert described["ModelPackageVersion"] == 1
    # AWS's own samples have none, and an SDK that looked a version up by it would find nothing.
    assert "ModelPackageName" not in described
    assert described["ModelApprovalStatus"] == "PendingManualApproval"
    assert described["ModelPackageStatus"] == "Completed"
    assert described["ModelPackageStatusDetails"]["ValidationStatuses"] == []
    assert described["InferenceSpecification"] == SPECIFICATION
    assert described["CertifyForMarketplace"] is False


def test_a_retry_with_the_same_token_makes_no_second_version(sagemaker, register):
    assert register(ClientToken="t") == register(ClientToken="t")
    assert register(ClientToken="u").endswith("/2")


def test_an_update_approves_and_adds(sagemaker, register):
    version = register(CustomerMetadataProperties={"a": "1", "b": "2"})
    more = {"Name": "gpu", "Containers": [{"Image": "other"}]}
    sagemaker.update_model_package(
        ModelPackageArn=version,
        ModelApprovalStatus="Approved",
        ApprovalDescription="good",
        CustomerMetadataProperties={"b": "3", "c": "4"},
        CustomerMetadataPropertiesToRemove=["a"],
        AdditionalInferenceSpecificationsToAdd=[more],
    )
    described = sagemaker.describe_model_package(ModelPackageName=version)
    assert described["ModelApprovalStatus"] == "Approved"
    assert described["CustomerMetadataProperties"] == {"b": "3", "c": "4"}
    assert described["AdditionalInferenceSpecifications"] == [more]
    assert described["LastModifiedTime"] > described["CreationTime"]


def test_a_group_with_versions_is_not_deleted(sagemaker, register, group, arn, assert_refused):
    version = register()
    assert_refused(
        lambda: sagemaker.delete_model_package_group(ModelPackageGroupName=group),
        "ConflictException",
        f"ModelPackageGroup {arn('model-package-group', 'digits')} cannot be deleted: it has"
        " model packages.",
    )
    sagemaker.delete_model_package(ModelPackageName=version)
    sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    assert sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"] == []


@pytest.mark.parametrize(
    "named, sentence",
    [
        (
            {"ModelPackageName": "p", "ModelPackageGroupName": "Digits"},
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot"
            " determine which one to use.",
        ),
        ({}, "Missing ARN."),
        (
            {"ModelPackageGroupName": "nobody"},
            "ModelPackageGroup arn:aws:sagemaker:us-west-2:123456789012:model-package-group/nobody"
            " does not exist.",
        ),
        (
            {"ModelPackageGroupName": "Digits", "Tags": [{"Key": "k", "Value": "v"}]},
            "Tags cannot be given to a version of a model package. Tag its group.",
        ),
    ],
)
def test_a_package_that_cannot_be_is_refused(sagemaker, group, named, sentence, assert_refused):
    assert_refused(lambda: sagemaker.create_model_package(**named), "ValidationException", sentence)
    assert sagemaker.list_model_packages(ModelPackageType="Both")["ModelPackageSummaryList"] == []


def test_a_package_that_a_job_would_have_to_validate_is_refused(sagemaker, assert_refused):
    output = {"S3OutputPath": "s3://b/out"}
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in"}}
    profile = {
        "ProfileName": "p",
        "TransformJobDefinition": {
            "TransformInput": {"DataSource": source},
            "TransformOutput": output,
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
    }
    role = "arn:aws:iam::123456789012:role/SageMaker"
    package = {
        "ModelPackageName": "p",
        "ValidationSpecification": {"ValidationRole": role, "ValidationProfiles": [profile]},
    }
    assert_refused(
        lambda: sagemaker.create_model_package(**package),
        "ValidationException",
        "ValidationSpecification is not emulated yet. Give SkipModelValidation All.",
    )
    sagemaker.create_model_package(**package, SkipModelValidation="All")
    described = sagemaker.describe_model_package(ModelPackageName="p")
    assert described["ValidationSpecification"]["ValidationRole"] == role


def test_packages_are_listed_by_group_type_and_approval(sagemaker, register, group):
    register(), register(ModelApprovalStatus="Approved")
    sagemaker.create_model_package(ModelPackageName="Single")
    assert names(sagemaker.list_model_packages()) == ["single"]
    assert names(sagemaker.list_model_packages(ModelPackageType="Versioned")) == [
        "digits/1",
        "digits/2",
    ]
    assert len(names(sagemaker.list_model_packages(ModelPackageType="Both"))) == 3
    named = sagemaker.list_model_packages(ModelPackageType="Both", NameContains="igit")
    assert names(named) == ["digits/1", "digits/2"]
    approved = {"ModelPackageGroupName": group, "ModelApprovalStatus": "Approved"}
    assert names(sagemaker.list_model_packages(**approved)) == ["digits/2"]


def test_the_versions_of_a_group_come_in_pages(sagemaker, register, group):
    for _ in range(5):
        register()
    paginator = sagemaker.get_paginator("list_model_packages")
    for by in ("Name", "CreationTime"):
        pages = paginator.paginate(
            ModelPackageGroupName=group, SortBy=by, PaginationConfig={"PageSize": 2}
        )
        listed = [names(page) for page in pages]
        assert listed == [["digits/1", "digits/2"], ["digits/3", "digits/4"], ["digits/5"]]


def test_many_packages_are_described_at_once(sagemaker, register, arn):
    there, absent = register(), arn("model-package", "digits/9")
    reply = sagemaker.batch_describe_model_package(ModelPackageArnList=[there, absent])
    assert reply["ModelPackageSummaries"][there]["ModelPackageVersion"] == 1
    assert reply["BatchDescribeModelPackageErrorMap"][absent] == {
        "ErrorCode": "ValidationException",
        "ErrorResponse": f"ModelPackage {absent} does not exist.",
    }


def test_a_policy_of_a_group_is_kept(sagemaker, group, arn, assert_refused):
    name = {"ModelPackageGroupName": group}
    none = f"Cannot find resource policy for: {arn('model-package-group', 'digits')}"
    get = lambda: sagemaker.get_model_package_group_policy(**name)  # noqa: E731
    assert_refused(get, "ValidationException", none)
    sagemaker.put_model_package_group_policy(**name, ResourcePolicy='{"Statement": []}')
    assert get()["ResourcePolicy"] == '{"Statement": []}'
    sagemaker.delete_model_package_group_policy(**name)
    assert_refused(get, "ValidationException", none)
    assert_refused(
        lambda: sagemaker.put_model_package_group_policy(**name, ResourcePolicy="nonsense"),
        "ValidationException",
        "The resource policy is not JSON.",
    )


def test_versions_registered_at_once_all_get_their_own_number(sagemaker, register, group):
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(lambda _: register(), range(24)))
    assert len(set(versions)) == 24
    reply = sagemaker.list_model_packages(ModelPackageGroupName=group, MaxResults=100)
    numbers = [one["ModelPackageVersion"] for one in reply["ModelPackageSummaryList"]]
    assert sorted(numbers) == list(range(1, 25))
