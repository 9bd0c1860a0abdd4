"""Notebook instances as an SDK sees them, up to what the reconciler does."""

import base64
from urllib.parse import urlsplit

import pytest

from emulator.kinds import NOTEBOOK_INSTANCE

ROLE = "arn:aws:iam::123456789012:role/service-role/SageMaker"
NAME = "Notebook-1"
ADDRESS = "172.20.0.9:8888"
NAMED = {"NotebookInstanceName": NAME}
SCRIPT = [{"Content": base64.b64encode(b"true").decode()}]
PATHS = {
    "Stopped": ("Ready", "StopRequested", "Stopped"),
    "InService": ("Ready",),
    "Failed": ("StartFailed",),
    "Pending": (),
    "Stopping": ("Ready", "StopRequested"),
    "Updating": ("StartFailed", "UpdateRequested"),
    "Deleting": ("StartFailed", "DeleteRequested"),
}


@pytest.fixture
def create(sagemaker):
    def create(name=NAME, **members):
        plain = {"InstanceType": "ml.t2.medium", "RoleArn": ROLE}
        return sagemaker.create_notebook_instance(NotebookInstanceName=name, **{**plain, **members})

    return create


@pytest.fixture
def instance(create, server):
    """Return a function that makes an instance in a status."""

    def make(status="Stopped", **members):
        create(**members)
        server.happens(NOTEBOOK_INSTANCE, NAME, *PATHS[status])
        return status

    return make


@pytest.fixture
def described(sagemaker):
    return lambda: sagemaker.describe_notebook_instance(**NAMED)


def test_a_new_instance_is_pending_and_has_the_defaults(create, described, server, arn):
    reply = create()
    found = described()
    assert reply["NotebookInstanceArn"] == found["NotebookInstanceArn"]
    assert found["NotebookInstanceArn"] == arn("notebook-instance", "notebook-1")
    assert found["NotebookInstanceStatus"] == "Pending"
    assert {key: found[key] for key in ("InstanceType", "RoleArn", "VolumeSizeInGB")} == {
        "InstanceType": "ml.t2.medium",
        "RoleArn": ROLE,
        "VolumeSizeInGB": 5,
    }
    assert (found["DirectInternetAccess"], found["RootAccess"]) == ("Enabled", "Enabled")
    assert found["PlatformIdentifier"] == "notebook-al2023-v1"
    assert not {"Url", "FailureReason", "NotebookInstanceLifecycleConfigName"} & set(found)
    assert [(kind, name) for kind, _, name in server.woken] == [(NOTEBOOK_INSTANCE, NAME)]


def test_describe_has_its_own_names_for_what_was_asked(create, described, sagemaker):
    sagemaker.create_notebook_instance_lifecycle_config(
        NotebookInstanceLifecycleConfigName="Config-1", OnStart=SCRIPT
    )
    create(
        LifecycleConfigName="Config-1",
        SubnetId="subnet-1",
        SecurityGroupIds=["sg-1"],
        DirectInternetAccess="Disabled",
        AcceleratorTypes=["ml.eia1.medium"],
        DefaultCodeRepository="https://example.com/code.git",
        AdditionalCodeRepositories=["/home/me/code", "file:///home/me/more", "http://host/x"],
        KmsKeyId="key",
        RootAccess="Disabled",
        Tags=[{"Key": "team", "Value": "a"}],
    )
    found = described()
    assert found["NotebookInstanceLifecycleConfigName"] == "Config-1"
    assert found["SecurityGroups"] == ["sg-1"]
    assert found["AcceleratorTypes"] == ["ml.eia1.medium"]
    assert found["DefaultCodeRepository"] == "https://example.com/code.git"
    assert len(found["AdditionalCodeRepositories"]) == 3
    assert sagemaker.list_tags(ResourceArn=found["NotebookInstanceArn"])["Tags"] == [
        {"Key": "team", "Value": "a"}
    ]


def test_a_name_is_taken(create, assert_refused, arn):
    create()
    assert_refused(
        create,
        "ValidationException",
        f"Cannot create a duplicate Notebook Instance ({arn('notebook-instance', 'notebook-1')})",
    )


@pytest.mark.parametrize(
    "members, sentence",
    [
        (
            {"DirectInternetAccess": "Disabled"},
            "DirectInternetAccess can be set to Disabled only if SubnetId is specified.",
        ),
        (
            {"DefaultCodeRepository": "my-repository"},
            "The code repository 'my-repository' is a name, and repositories with names are not"
            " emulated. Give a URL (https://… or http://…) or the absolute path of a directory on"
            " this machine.",
        ),
        (
            {"LifecycleConfigName": "Nobody"},
            "Unable to describe Notebook Instance Lifecycle Config 'arn:aws:sagemaker:us-west-2:"
            "123456789012:notebook-instance-lifecycle-config/nobody'. (Details: Notebook Instance"
            " Lifecycle Config does not exist.)",
        ),
    ],
)
def test_what_cannot_be_is_refused(create, assert_refused, members, sentence):
    assert_refused(lambda: create(**members), "ValidationException", sentence)


@pytest.mark.parametrize(
    "member, value, path",
    [
        ("AcceleratorTypes", ["local_sagemaker_notebook"], "acceleratorTypes.1.member"),
        ("InstanceType", "ml.t9.large", "instanceType"),
        ("DefaultCodeRepository", "code/here", "defaultCodeRepository"),
        ("VolumeSizeInGB", 16385, "volumeSizeInGB"),
        ("SecurityGroupIds", ["sg"] * 6, "securityGroupIds"),
    ],
)
def test_the_model_is_kept(create, sagemaker, member, value, path):
    with pytest.raises(sagemaker.exceptions.ClientError) as refusal:
        create(**{member: value})
    assert f"at '{path}' failed to satisfy constraint" in str(refusal.value)


@pytest.mark.parametrize(
    "operation",
    [
        "describe_notebook_instance",
        "start_notebook_instance",
        "stop_notebook_instance",
        "update_notebook_instance",
        "delete_notebook_instance",
        "create_presigned_notebook_instance_url",
    ],
)
def test_an_absent_instance_is_refused(sagemaker, assert_refused, operation):
    assert_refused(
        lambda: getattr(sagemaker, operation)(**NAMED), "ValidationException", "RecordNotFound"
    )


@pytest.mark.parametrize(
    "verb, allowed, target",
    [
        ("start", ["Stopped", "Failed"], "Pending"),
        ("stop", ["InService"], "Stopping"),
        ("update", ["Stopped", "Failed"], "Updating"),
        ("delete", ["Stopped", "Failed"], "Deleting"),
    ],
)
@pytest.mark.parametrize("status", PATHS)
def test_a_request_is_accepted_in_its_statuses_alone(
    sagemaker, instance, described, server, assert_refused, arn, verb, allowed, target, status
):
    instance(status)
    server.woken.clear()

    def ask():
        return getattr(sagemaker, f"{verb}_notebook_instance")(**NAMED)

    if status in allowed:
        ask()
        assert described()["NotebookInstanceStatus"] == target
        assert len(server.woken) == 1
        return
    assert_refused(
        ask,
        "ValidationException",
        f"Status ({status}) not in ([{', '.join(allowed)}]). Unable to transition to ({target})"
        f" for Notebook Instance ({arn('notebook-instance', 'notebook-1')}).",
    )
    assert not server.woken


def test_a_start_forgets_the_reason_of_the_last_failure(create, described, sagemaker, server):
    create()
    server.happens(NOTEBOOK_INSTANCE, NAME, "StartFailed", FailureReason="no image")
    assert described()["FailureReason"] == "no image"
    sagemaker.start_notebook_instance(**NAMED)
    assert "FailureReason" not in described()


def test_an_update_changes_and_takes_away(instance, described, sagemaker):
    instance(
        AcceleratorTypes=["ml.eia1.medium"],
        DefaultCodeRepository="https://example.com/a",
        AdditionalCodeRepositories=["/home/me/code"],
    )
    sagemaker.update_notebook_instance(
        **NAMED,
        InstanceType="ml.t2.large",
        VolumeSizeInGB=6,
        AcceleratorTypes=["ml.eia2.large"],
        DisassociateLifecycleConfig=True,
        DisassociateDefaultCodeRepository=True,
        DisassociateAdditionalCodeRepositories=True,
    )
    found = described()
    assert (found["InstanceType"], found["VolumeSizeInGB"]) == ("ml.t2.large", 6)
    assert found["AcceleratorTypes"] == ["ml.eia2.large"]
    assert not {"DefaultCodeRepository", "AdditionalCodeRepositories"} & set(found)


@pytest.mark.parametrize(
    "request_, sentence",
    [
        (
            {"DisassociateAcceleratorTypes": True, "AcceleratorTypes": ["ml.eia1.medium"]},
            "Specify only one of AcceleratorTypes and DisassociateAcceleratorTypes.",
        ),
        (
            {"VolumeSizeInGB": 19},
            "VolumeSizeInGB can't be decreased: it is 20 and 19 was requested.",
        ),
    ],
)
def test_an_update_that_contradicts_is_refused(
    instance, sagemaker, assert_refused, described, request_, sentence
):
    instance(VolumeSizeInGB=20)
    assert_refused(
        lambda: sagemaker.update_notebook_instance(**NAMED, **request_),
        "ValidationException",
        sentence,
    )
    assert described()["NotebookInstanceStatus"] == "Stopped"


def test_a_url_is_given_in_service_alone(instance, create, server, sagemaker, assert_refused, arn):
    create()

    def ask():
        return sagemaker.create_presigned_notebook_instance_url(**NAMED)

    assert_refused(
        ask,
        "ValidationException",
        "Status (Pending) not in ([InService]). Unable to create an authorized URL for Notebook"
        f" Instance ({arn('notebook-instance', 'notebook-1')}).",
    )
    own = {"starts": 1, "served": True, "start": {"number": 1, "key": "ab" * 32}}
    server.happens(NOTEBOOK_INSTANCE, NAME, "Ready", Url=ADDRESS, Emulator=own)
    url = urlsplit(ask()["AuthorizedUrl"])
    assert (url.scheme, url.netloc, url.path) == ("http", ADDRESS, "/")
    assert url.query.startswith("authToken=")


def test_lists_filter_by_status_configuration_and_repository(create, server, sagemaker):
    sagemaker.create_notebook_instance_lifecycle_config(
        NotebookInstanceLifecycleConfigName="Config-1"
    )
    create("a", LifecycleConfigName="Config-1")
    create("b", DefaultCodeRepository="https://example.com/code")
    create("c", AdditionalCodeRepositories=["https://example.com/code"])
    server.happens(NOTEBOOK_INSTANCE, "c", "StartFailed")

    def names(**asked):
        found = sagemaker.list_notebook_instances(**asked)["NotebookInstances"]
        return [each["NotebookInstanceName"] for each in found]

    assert names() == ["a", "b", "c"]
    assert names(StatusEquals="Failed") == ["c"]
    assert names(SortBy="Status", SortOrder="Descending")[-1] == "c"
    assert names(NotebookInstanceLifecycleConfigNameContains="Config") == ["a"]
    assert names(DefaultCodeRepositoryContains="example") == ["b"]
    assert names(AdditionalCodeRepositoryEquals="https://example.com/code") == ["c"]
