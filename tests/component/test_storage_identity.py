"""Who boto3's caller is: an assumed role that IAM knows, with every permission."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from storage_server import ACCOUNT, OTHER_ACCOUNT, Served, serving

ROLE = "AmazonSageMaker-ExecutionRole"
ANY_ROLE = '{"Version": "2012-10-17", "Statement": []}'
ACCOUNTS = pytest.mark.parametrize("account", [ACCOUNT, OTHER_ACCOUNT])


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("storage")) as served:
        yield served


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    reply = error.value.response
    return reply["ResponseMetadata"]["HTTPStatusCode"], reply["Error"]["Code"]


def role_arn(account: str) -> str:
    return f"arn:aws:iam::{account}:role/service-role/{ROLE}"


@ACCOUNTS
def test_a_caller_is_the_execution_role_of_the_account(served: Served, account: str) -> None:
    identity = served.client("sts", account).get_caller_identity()
    assert identity["Account"] == account
    assert identity["Arn"] == f"arn:aws:sts::{account}:assumed-role/{ROLE}/SageMaker"
    role = served.client("iam", account).get_role(RoleName=ROLE)["Role"]
    assert identity["UserId"] == f"{role['RoleId']}:SageMaker"


@ACCOUNTS
def test_the_role_is_in_iam_without_being_made(served: Served, account: str) -> None:
    iam = served.client("iam", account)
    role = iam.get_role(RoleName=ROLE)["Role"]
    assert role["Arn"] == role_arn(account)
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    attached = iam.list_attached_role_policies(RoleName=ROLE)["AttachedPolicies"]
    arn = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
    assert attached == [{"PolicyName": "AmazonSageMakerFullAccess", "PolicyArn": arn}]
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    policy = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
    assert "sagemaker:*" in policy["Document"]["Statement"][0]["Action"]


def test_the_role_comes_back_with_a_reset(served: Served) -> None:
    iam = served.client("iam")
    iam.create_role(RoleName="mine", AssumeRolePolicyDocument=ANY_ROLE)
    served.storage.reset()
    assert [role["RoleName"] for role in iam.list_roles()["Roles"]] == [ROLE]


def test_a_role_of_ones_own_takes_the_place_of_the_given_one_but_only_once(served: Served) -> None:
    iam = served.client("iam")
    mine = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=ANY_ROLE)["Role"]
    assert iam.get_role(RoleName=ROLE)["Role"]["Arn"] == mine["Arn"]
    assert iam.list_attached_role_policies(RoleName=ROLE)["AttachedPolicies"] == []
    with pytest.raises(ClientError) as error:
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=ANY_ROLE)
    assert refusal(error) == (409, "EntityAlreadyExists")
    iam.delete_role(RoleName=ROLE)
    assert iam.list_roles()["Roles"] == []
    assert ROLE in served.client("sts").get_caller_identity()["Arn"]


def test_a_role_that_can_t_be_made_leaves_the_given_one(served: Served) -> None:
    iam = served.client("iam")
    with pytest.raises(ClientError):
        iam.create_role(
            RoleName=ROLE,
            AssumeRolePolicyDocument=ANY_ROLE,
            PermissionsBoundary="not-the-arn-of-a-policy",
        )
    assert iam.get_role(RoleName=ROLE)["Role"]["Arn"] == role_arn(ACCOUNT)
    assert len(iam.list_attached_role_policies(RoleName=ROLE)["AttachedPolicies"]) == 1


def with_key(served: Served, keys: dict[str, Any], secret: str = "SecretAccessKey") -> Any:
    return boto3.client(
        "sts",
        endpoint_url=served.url,
        region_name="us-east-1",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys[secret],
        aws_session_token=keys.get("SessionToken"),
    )


def test_an_issued_key_keeps_its_own_identity(served: Served) -> None:
    iam = served.client("iam")
    user = iam.create_user(UserName="ada")["User"]
    key = iam.create_access_key(UserName="ada")["AccessKey"]
    assert with_key(served, key).get_caller_identity()["Arn"] == user["Arn"]
    taken = served.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/other", RoleSessionName="me"
    )
    arn = with_key(served, taken["Credentials"]).get_caller_identity()["Arn"]
    assert arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/other/me" == taken["AssumedRoleUser"]["Arn"]


def test_every_action_is_allowed_on_every_resource(served: Served) -> None:
    results = served.client("iam").simulate_principal_policy(
        PolicySourceArn=role_arn(ACCOUNT),
        ActionNames=["s3:PutObject", "sagemaker:CreateModel"],
        ResourceArns=["arn:aws:s3:::a/*", "arn:aws:s3:::b/*"],
    )
    found = [
        (result["EvalActionName"], result["EvalResourceName"], result["EvalDecision"])
        for result in results["EvaluationResults"]
    ]
    assert found == [
        (action, resource, "allowed")
        for action in ("s3:PutObject", "sagemaker:CreateModel")
        for resource in ("arn:aws:s3:::a/*", "arn:aws:s3:::b/*")
    ]
    assert results["IsTruncated"] is False


def test_a_simulation_comes_in_pages(served: Served) -> None:
    actions = [f"s3:Action{number}" for number in range(7)]
    pages = list(
        served.client("iam")
        .get_paginator("simulate_custom_policy")
        .paginate(PolicyInputList=[ANY_ROLE], ActionNames=actions, PaginationConfig={"PageSize": 3})
    )
    assert [len(page["EvaluationResults"]) for page in pages] == [3, 3, 1]
    results = [result for page in pages for result in page["EvaluationResults"]]
    assert [result["EvalActionName"] for result in results] == actions
    assert {result["EvalResourceName"] for result in results} == {"*"}


@pytest.mark.parametrize(
    "arn, refused",
    [
        (f"arn:aws:iam::{ACCOUNT}:role/absent", (404, "NoSuchEntity")),
        (f"arn:aws:iam::{ACCOUNT}:role/{ROLE}", (404, "NoSuchEntity")),
        (role_arn(OTHER_ACCOUNT), (404, "NoSuchEntity")),
        (f"arn:aws:iam::{ACCOUNT}:user/absent", (404, "NoSuchEntity")),
        (f"arn:aws:iam::{ACCOUNT}:group/absent", (404, "NoSuchEntity")),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/x", (400, "InvalidInput")),
    ],
)
def test_a_principal_that_is_not_there_is_refused(
    served: Served, arn: str, refused: tuple[int, str]
) -> None:
    with pytest.raises(ClientError) as error:
        served.client("iam").simulate_principal_policy(
            PolicySourceArn=arn, ActionNames=["s3:PutObject"]
        )
    assert refusal(error) == refused


def test_a_bucket_is_found_by_its_owner_and_refused_to_who_expects_another(served: Served) -> None:
    s3 = served.client("s3")
    s3.create_bucket(Bucket="owned-bucket")
    s3.put_object(Bucket="owned-bucket", Key="a", Body=b"x", ExpectedBucketOwner=ACCOUNT)
    s3.head_bucket(Bucket="owned-bucket", ExpectedBucketOwner=ACCOUNT)
    source = {"Bucket": "owned-bucket", "Key": "a"}
    for refused in (
        lambda: s3.head_bucket(Bucket="owned-bucket", ExpectedBucketOwner=OTHER_ACCOUNT),
        lambda: s3.put_object(
            Bucket="owned-bucket", Key="b", Body=b"x", ExpectedBucketOwner=OTHER_ACCOUNT
        ),
        lambda: s3.copy_object(
            Bucket="owned-bucket",
            Key="c",
            CopySource=source,
            ExpectedSourceBucketOwner=OTHER_ACCOUNT,
        ),
    ):
        with pytest.raises(ClientError) as error:
            refused()
        assert refusal(error)[0] == 403
    assert [found["Key"] for found in s3.list_objects(Bucket="owned-bucket")["Contents"]] == ["a"]
    with pytest.raises(ClientError) as error:
        s3.head_bucket(Bucket="absent-bucket", ExpectedBucketOwner=ACCOUNT)
    assert refusal(error)[0] == 404


def test_what_local_mode_asks_of_a_prefix(served: Served) -> None:
    s3 = served.client("s3")
    s3.create_bucket(Bucket="prefix-bucket")
    s3.put_object(Bucket="prefix-bucket", Key="data/a b+ü&.txt", Body=b"x")
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket="prefix-bucket", Key="data")
    assert error.value.response["Error"] == {"Code": "404", "Message": "Not Found"}
    found = s3.list_objects(Bucket="prefix-bucket", Prefix="data", EncodingType="url")
    assert [entry["Key"] for entry in found["Contents"]] == ["data/a%20b%2B%C3%BC%26.txt"]
    found = s3.list_objects(Bucket="prefix-bucket", Prefix="data")
    assert [entry["Key"] for entry in found["Contents"]] == ["data/a b+ü&.txt"]
