"""Training jobs as an SDK sees them."""

import pytest
from botocore.exceptions import WaiterError

from emulator.call import Scope
from emulator.kinds import TRAINING_JOB
from emulator.lifecycle.training_job import Event

TO_THE_END = (
    Event.DOWNLOAD_BEGUN,
    Event.LAUNCHED,
    Event.EXITED_ZERO,
    Event.SAVED,
)
ENDINGS = {
    "Completed": TO_THE_END,
    "Failed": (Event.FAULT,),
    "Stopped": (Event.STOP_REQUESTED, Event.NOTHING_RAN),
}
ABSENT = "Requested resource not found."


def test_a_created_job_is_in_progress_and_waits_for_the_reconciler(
    server, sagemaker, job_request, arn
):
    reply = sagemaker.create_training_job(**job_request("Job-1"))
    job = sagemaker.describe_training_job(TrainingJobName="Job-1")
    assert reply["TrainingJobArn"] == job["TrainingJobArn"] == arn("training-job", "job-1")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("InProgress", "Starting")
    assert [entered["Status"] for entered in job["SecondaryStatusTransitions"]] == ["Starting"]
    assert job["CreationTime"] == job["LastModifiedTime"]
    assert [(kind.name, name) for kind, _, name in server.woken] == [("TrainingJob", "Job-1")]


def test_describe_fills_in_the_defaults(sagemaker, job_request):
    request = job_request(
        CheckpointConfig={"S3Uri": "s3://out/checkpoints"},
        ResourceConfig={"InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 10},
    )
    del request["StoppingCondition"]
    sagemaker.create_training_job(**request)
    job = sagemaker.describe_training_job(TrainingJobName="Job-1")
    assert job["ResourceConfig"]["InstanceCount"] == 1
    assert job["CheckpointConfig"]["LocalPath"] == "/opt/ml/checkpoints/"
    (channel,) = job["InputDataConfig"]
    source = channel["DataSource"]["S3DataSource"]
    assert source["S3DataDistributionType"] == "FullyReplicated"
    assert (channel["CompressionType"], channel["RecordWrapperType"]) == ("None", "None")
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400}
    assert job["OutputDataConfig"] == {
        "CompressionType": "GZIP",
        "KmsKeyId": "",
        "S3OutputPath": "s3://out/jobs/",
    }
    assert "HyperParameters" not in job
    for flag in (
        "EnableInterContainerTrafficEncryption",
        "EnableManagedSpotTraining",
        "EnableNetworkIsolation",
    ):
        assert job[flag] is False


def test_describe_echoes_what_was_asked(sagemaker, job_request):
    asked = {
        "HyperParameters": {"epochs": "3", "sagemaker_program": '"mnist.py"'},
        "Environment": {"MODE": "fast"},
        "CheckpointConfig": {"S3Uri": "s3://out/checkpoints", "LocalPath": "/opt/ml/here"},
        "EnableNetworkIsolation": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "ResourceConfig": {
            "InstanceType": "ml.p2.xlarge",
            "InstanceCount": 3,
            "VolumeSizeInGB": 30,
        },
        "DebugHookConfig": {"S3OutputPath": "s3://out/", "CollectionConfigurations": []},
    }
    sagemaker.create_training_job(**job_request(**asked))
    job = sagemaker.describe_training_job(TrainingJobName="Job-1")
    assert {member: job[member] for member in asked} == asked


def test_a_job_needs_no_channel(sagemaker, job_request):
    request = job_request()
    del request["InputDataConfig"]
    sagemaker.create_training_job(**request)
    assert "InputDataConfig" not in sagemaker.describe_training_job(TrainingJobName="Job-1")


@pytest.mark.parametrize(
    "output, artifacts",
    [
        ({"S3OutputPath": "s3://out"}, "s3://out/Job-1/output/model.tar.gz"),
        ({"S3OutputPath": "s3://out/"}, "s3://out/Job-1/output/model.tar.gz"),
        ({"S3OutputPath": "s3://out/a/b"}, "s3://out/a/b/Job-1/output/model.tar.gz"),
        (
            {"S3OutputPath": "s3://out/a", "CompressionType": "NONE"},
            "s3://out/a/Job-1/output/model/",
        ),
        (
            {"S3OutputPath": "https://s3-us-west-2.amazonaws.com/out/a/"},
            "s3://out/a/Job-1/output/model.tar.gz",
        ),
        (
            {"S3OutputPath": "https://out.s3.us-west-2.amazonaws.com"},
            "s3://out/Job-1/output/model.tar.gz",
        ),
    ],
)
def test_the_place_of_the_artifacts_is_known_from_the_start(
    sagemaker, job_request, output, artifacts
):
    sagemaker.create_training_job(**job_request(OutputDataConfig=output))
    job = sagemaker.describe_training_job(TrainingJobName="Job-1")
    assert job["ModelArtifacts"] == {"S3ModelArtifacts": artifacts}


def test_a_name_is_taken_once(sagemaker, job_request, assert_refused, arn):
    sagemaker.create_training_job(**job_request("Job-1"))
    text = (
        "Training job names must be unique within an AWS account and region, and a training job"
        f" with this name already exists ({arn('training-job', 'job-1')})"
    )
    assert_refused(
        lambda: sagemaker.create_training_job(**job_request("Job-1")), "ResourceInUse", text
    )
    with pytest.raises(sagemaker.exceptions.ResourceInUse):
        sagemaker.create_training_job(**job_request("JOB-1"))


@pytest.mark.parametrize(
    "operation", ["describe_training_job", "stop_training_job", "delete_training_job"]
)
def test_an_absent_job_is_refused(sagemaker, assert_refused, operation):
    assert_refused(
        lambda: getattr(sagemaker, operation)(TrainingJobName="nobody"),
        "ValidationException",
        ABSENT,
    )


def test_names_are_looked_up_as_they_were_spelt(sagemaker, job_request, assert_refused):
    sagemaker.create_training_job(**job_request("Job-1"))
    assert_refused(
        lambda: sagemaker.describe_training_job(TrainingJobName="job-1"),
        "ValidationException",
        ABSENT,
    )


@pytest.mark.parametrize("status", ENDINGS)
def test_stopping_a_job_that_has_ended_is_refused(
    server, sagemaker, job_request, assert_refused, status
):
    sagemaker.create_training_job(**job_request())
    server.happens(TRAINING_JOB, "Job-1", *ENDINGS[status])
    assert_refused(
        lambda: sagemaker.stop_training_job(TrainingJobName="Job-1"),
        "ValidationException",
        f"The request was rejected because the training job is in status {status}.",
    )


def test_a_stop_is_seen_at_once_and_may_be_repeated(server, sagemaker, job_request):
    sagemaker.create_training_job(**job_request())
    server.woken.clear()
    for _ in range(2):
        sagemaker.stop_training_job(TrainingJobName="Job-1")
        job = sagemaker.describe_training_job(TrainingJobName="Job-1")
        assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopping", "Stopping")
    assert len(job["SecondaryStatusTransitions"]) == 2
    assert server.woken[0][2] == "Job-1"


@pytest.mark.parametrize("status", ENDINGS)
def test_a_job_that_has_ended_can_be_deleted_and_its_name_used_again(
    server, sagemaker, job_request, assert_refused, status
):
    sagemaker.create_training_job(**job_request(), Tags=[{"Key": "a", "Value": "1"}])
    server.happens(TRAINING_JOB, "Job-1", *ENDINGS[status])
    server.woken.clear()
    sagemaker.delete_training_job(TrainingJobName="Job-1")
    assert [name for _, _, name in server.woken] == ["Job-1"]
    assert_refused(
        lambda: sagemaker.describe_training_job(TrainingJobName="Job-1"),
        "ValidationException",
        ABSENT,
    )
    made = sagemaker.create_training_job(**job_request())
    assert sagemaker.list_tags(ResourceArn=made["TrainingJobArn"])["Tags"] == []


def test_a_running_job_cannot_be_deleted(sagemaker, job_request, assert_refused):
    sagemaker.create_training_job(**job_request())
    assert_refused(
        lambda: sagemaker.delete_training_job(TrainingJobName="Job-1"),
        "ResourceInUse",
        "The request was rejected because the training job is in status InProgress.",
    )


def test_two_regions_and_two_accounts_do_not_see_each_other(client, job_request, assert_refused):
    home = client()
    home.create_training_job(**job_request("Job-1"))
    for stranger in (client(region="eu-west-1"), client(account="210987654321")):
        assert_refused(
            lambda stranger=stranger: stranger.describe_training_job(TrainingJobName="Job-1"),
            "ValidationException",
            ABSENT,
        )
        assert stranger.list_training_jobs()["TrainingJobSummaries"] == []
        stranger.create_training_job(**job_request("Job-1"))
        assert len(stranger.list_training_jobs()["TrainingJobSummaries"]) == 1
    assert len(home.list_training_jobs()["TrainingJobSummaries"]) == 1


# Input data.


def _channel(name="train", **source):
    place = {"S3DataType": "S3Prefix", "S3Uri": "s3://data/mnist"} | source
    return {"ChannelName": name, "DataSource": {"S3DataSource": place}}


@pytest.mark.parametrize(
    "source, bucket",
    [
        ({"S3Uri": "s3://data/nothing"}, "data"),
        ({"S3Uri": "s3://nobody/mnist"}, "nobody"),
        ({"S3Uri": "s3://nobody"}, "nobody"),
        ({"S3DataType": "ManifestFile", "S3Uri": "s3://data/mnist/train"}, "data"),
    ],
)
def test_a_channel_without_objects_is_refused(
    sagemaker, job_request, assert_refused, source, bucket
):
    request = job_request(InputDataConfig=[_channel(**source)])
    assert_refused(
        lambda: sagemaker.create_training_job(**request),
        "ValidationException",
        f'No S3 objects found under S3 URL "{source["S3Uri"]}" given in input data source. Please'
        " ensure that the bucket exists in the selected region (us-west-2), that objects exist"
        " under that S3 prefix, and that the role"
        ' "arn:aws:iam::123456789012:role/service-role/SageMaker" has "s3:ListBucket"'
        f' permissions on bucket "{bucket}".',
    )
    assert sagemaker.list_training_jobs()["TrainingJobSummaries"] == []


@pytest.mark.parametrize(
    "source",
    [
        {"S3Uri": "s3://data"},
        {"S3Uri": "s3://data/"},
        {"S3Uri": "s3://data/mn"},
        {"S3Uri": "https://s3.us-west-2.amazonaws.com/data/mnist"},
        {"S3Uri": "https://data.s3.amazonaws.com/mnist/train.npz"},
        {"S3Uri": "s3://data/mnist/train.npz"},
        {"S3Uri": "s3://data/mnist/train.npz", "S3DataType": "ManifestFile"},
        {"S3DataDistributionType": "ShardedByS3Key"},
    ],
)
def test_a_channel_may_be_a_bucket_a_prefix_an_object_or_a_manifest(sagemaker, job_request, source):
    sagemaker.create_training_job(**job_request(InputDataConfig=[_channel(**source)]))
    job = sagemaker.describe_training_job(TrainingJobName="Job-1")
    assert job["InputDataConfig"][0]["DataSource"]["S3DataSource"].items() >= source.items()


def test_channel_names_are_unique(sagemaker, job_request, assert_refused):
    request = job_request(InputDataConfig=[_channel(), _channel("test"), _channel()])
    assert_refused(
        lambda: sagemaker.create_training_job(**request),
        "ValidationException",
        "Channel names must be unique: train",
    )


# What the service demands and what is not emulated.

_NULL = (
    "1 validation error detected: Value null at '{}' failed to satisfy constraint:"
    " Member must not be null"
)
_SPOT = (
    "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to"
    " MaxRuntimeInSeconds"
)
_FILE = {"TrainingInputMode": "File"}


@pytest.mark.parametrize(
    "members, text",
    [
        ({"ResourceConfig": None}, _NULL.format("resourceConfig")),
        ({"ResourceConfig": {"InstanceCount": 1}}, _NULL.format("resourceConfig.instanceType")),
        (
            {"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 0}},
            "1 validation error detected: Value '0' at 'resourceConfig.instanceCount' failed to"
            " satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            {"AlgorithmSpecification": _FILE},
            "Specify exactly one of TrainingImage and AlgorithmName in AlgorithmSpecification.",
        ),
        (
            {"AlgorithmSpecification": _FILE | {"AlgorithmName": "mine"}},
            "AlgorithmSpecification.AlgorithmName is not emulated yet."
            " Name the algorithm's image in TrainingImage.",
        ),
        (
            {
                "InputDataConfig": [
                    {
                        "ChannelName": "train",
                        "DataSource": {
                            "FileSystemDataSource": {
                                "FileSystemId": "fs-12345678",
                                "FileSystemAccessMode": "ro",
                                "FileSystemType": "EFS",
                                "DirectoryPath": "/data",
                            }
                        },
                    }
                ]
            },
            "InputDataConfig[].DataSource.FileSystemDataSource is not emulated yet."
            " Use S3DataSource.",
        ),
        (
            {"InputDataConfig": [{"ChannelName": "train", "DataSource": {}}]},
            _NULL.format("inputDataConfig.1.member.dataSource.s3DataSource"),
        ),
        (
            {"InputDataConfig": [_channel(S3Uri="https://example.com/data/mnist")]},
            "InputDataConfig[].DataSource.S3DataSource.S3Uri"
            ' "https://example.com/data/mnist" names no bucket of S3. Use s3://bucket/key.',
        ),
        *(
            (
                {"InputDataConfig": [_channel(), _channel(name)]},
                f"1 validation error detected: Value '{name}' at"
                " 'inputDataConfig.2.member.channelName' failed to satisfy constraint: Member must"
                r" satisfy regular expression pattern: [A-Za-z0-9\.\-_]+",
            )
            for name in (".", "..")
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 2419201}},
            "1 validation error detected: Value '2419201' at"
            " 'stoppingCondition.maxRuntimeInSeconds' failed to satisfy constraint: Member must"
            " have value less than or equal to 2419200",
        ),
        ({"EnableManagedSpotTraining": True}, _SPOT),
        (
            {
                "EnableManagedSpotTraining": True,
                "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 59},
            },
            _SPOT,
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}},
            "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is"
            " set to true",
        ),
    ],
)
def test_a_job_that_cannot_run_here_is_refused(
    sagemaker, job_request, assert_refused, members, text
):
    request = {name: value for name, value in job_request(**members).items() if value is not None}
    assert_refused(lambda: sagemaker.create_training_job(**request), "ValidationException", text)


def test_a_job_may_run_for_28_days(sagemaker, job_request):
    limits = {"MaxRuntimeInSeconds": 28 * 24 * 3600}
    sagemaker.create_training_job(**job_request(StoppingCondition=limits))
    job = sagemaker.describe_training_job(TrainingJobName="Job-1")
    assert job["StoppingCondition"] == limits


@pytest.mark.parametrize(
    "given, shown, status",
    [
        (None, None, "Disabled"),
        (
            {"S3OutputPath": "s3://out/profile", "DisableProfiler": False},
            {
                "S3OutputPath": "s3://out/profile",
                "DisableProfiler": False,
                "ProfilingIntervalInMilliseconds": 500,
            },
            "Enabled",
        ),
        (
            {"ProfilingIntervalInMilliseconds": 100},
            {"ProfilingIntervalInMilliseconds": 100, "DisableProfiler": False},
            "Enabled",
        ),
        ({"DisableProfiler": True}, {"DisableProfiler": True}, "Disabled"),
    ],
)
def test_the_profiler_is_shown_with_its_defaults(sagemaker, job_request, given, shown, status):
    members = {"ProfilerConfig": given} if given else {}
    sagemaker.create_training_job(**job_request(**members))
    job = sagemaker.describe_training_job(TrainingJobName="Job-1")
    assert (job.get("ProfilerConfig"), job["ProfilingStatus"]) == (shown, status)


def test_a_spot_job_with_enough_time_to_wait_is_accepted(sagemaker, job_request):
    limits = {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}
    sagemaker.create_training_job(
        **job_request(EnableManagedSpotTraining=True, StoppingCondition=limits)
    )
    job = sagemaker.describe_training_job(TrainingJobName="Job-1")
    assert (job["EnableManagedSpotTraining"], job["StoppingCondition"]) == (True, limits)


def test_the_profiler_rule_of_the_python_sdk_is_accepted_and_reported_as_not_evaluated(
    sagemaker, job_request
):
    rule = {"RuleConfigurationName": "ProfilerReport", "RuleEvaluatorImage": "debugger:latest"}
    sagemaker.create_training_job(**job_request(ProfilerRuleConfigurations=[rule]))
    job = sagemaker.describe_training_job(TrainingJobName="Job-1")
    (status,) = job["ProfilerRuleEvaluationStatuses"]
    assert status["RuleConfigurationName"] == "ProfilerReport"
    assert status["RuleEvaluationStatus"] == "Error"
    assert status["StatusDetails"] == "Rule evaluation is not emulated yet."


# Lists.


def _names(reply):
    return [job["TrainingJobName"] for job in reply["TrainingJobSummaries"]]


@pytest.fixture
def three_jobs(server, sagemaker, job_request):
    """Jobs b, c and a, in this order, created at seconds 1000, 2000 and 3000; b has completed."""
    for at, name in enumerate(("b-one", "c-one", "a-two"), start=1):
        sagemaker.create_training_job(**job_request(name))
        _date(server, name, CreationTime=at * 1000.0, LastModifiedTime=at * 1000.0)
    server.happens(TRAINING_JOB, "b-one", *TO_THE_END)
    _date(server, "b-one", LastModifiedTime=9000.0)


def _date(server, name, **times):
    server.store.change(
        TRAINING_JOB,
        Scope("123456789012", "us-west-2"),
        name,
        lambda record: (record.phase, record.document | times),
        event="Dated",
    )


@pytest.mark.parametrize(
    "asked, names",
    [
        ({}, ["b-one", "c-one", "a-two"]),
        ({"SortOrder": "Descending"}, ["a-two", "c-one", "b-one"]),
        ({"SortBy": "Name"}, ["a-two", "b-one", "c-one"]),
        ({"SortBy": "Name", "SortOrder": "Descending"}, ["c-one", "b-one", "a-two"]),
        ({"SortBy": "Status"}, ["b-one", "a-two", "c-one"]),
        ({"NameContains": "one"}, ["b-one", "c-one"]),
        ({"StatusEquals": "Completed"}, ["b-one"]),
        ({"StatusEquals": "Stopped"}, []),
        ({"CreationTimeAfter": 2000}, ["c-one", "a-two"]),
        ({"CreationTimeBefore": 2000}, ["b-one"]),
        ({"CreationTimeAfter": 1500, "CreationTimeBefore": 2500}, ["c-one"]),
        ({"LastModifiedTimeAfter": 4000}, ["b-one"]),
        ({"LastModifiedTimeBefore": 3000}, ["c-one"]),
        ({"WarmPoolStatusEquals": "Available"}, []),
        (
            {
                "TrainingPlanArnEquals": "arn:aws:sagemaker:us-west-2:123456789012:"
                "training-plan/mine-and-only-mine"
            },
            [],
        ),
    ],
)
def test_jobs_are_listed_by_filter_and_order(three_jobs, sagemaker, asked, names):
    assert _names(sagemaker.list_training_jobs(**asked)) == names


def test_a_summary_says_when_the_job_ended(three_jobs, sagemaker):
    ended, running, _ = sagemaker.list_training_jobs()["TrainingJobSummaries"]
    assert ended["SecondaryStatus"] == "Completed"
    assert "TrainingEndTime" in ended
    assert "TrainingEndTime" not in running
    assert "RoleArn" not in running


# Waiters.


@pytest.mark.parametrize(
    "events, status",
    [(TO_THE_END, "Completed"), (ENDINGS["Stopped"], "Stopped")],
)
def test_the_waiter_sees_the_job_end(server, sagemaker, job_request, events, status):
    sagemaker.create_training_job(**job_request())
    server.meanwhile(lambda: server.happens(TRAINING_JOB, "Job-1", *events))
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(
        TrainingJobName="Job-1", WaiterConfig={"Delay": 0, "MaxAttempts": 1000}
    )
    job = sagemaker.describe_training_job(TrainingJobName="Job-1")
    assert job["TrainingJobStatus"] == status


@pytest.mark.parametrize("name", ["Job-1", "nobody"])
def test_the_waiter_fails_for_a_failed_and_for_an_absent_job(server, sagemaker, job_request, name):
    sagemaker.create_training_job(**job_request())
    server.happens(TRAINING_JOB, "Job-1", Event.FAULT, FailureReason="AlgorithmError: no")
    with pytest.raises(WaiterError, match="terminal failure state"):
        sagemaker.get_waiter("training_job_completed_or_stopped").wait(
            TrainingJobName=name, WaiterConfig={"Delay": 0, "MaxAttempts": 1}
        )
