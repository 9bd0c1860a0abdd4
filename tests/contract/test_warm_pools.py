"""What clients are told of a training job's warm pool, and what UpdateTrainingJob changes."""

import pytest

from emulator import clock
from emulator.kinds import TRAINING_JOB
from emulator.lifecycle.training_job import Event

TO_THE_END = (Event.DOWNLOAD_BEGUN, Event.LAUNCHED, Event.EXITED_ZERO, Event.SAVED)
SAME = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10}


@pytest.fixture
def pass_time(monkeypatch):
    """Return a function that puts the clock of the operations forward by seconds."""
    ahead = 0.0

    def later():
        return clock.now() + ahead

    def forward(seconds):
        nonlocal ahead
        ahead += seconds

    monkeypatch.setattr("emulator.operations.training_jobs.now", later)
    monkeypatch.setattr("emulator.operations.training_job_update.now", later)
    return forward


@pytest.fixture
def create(sagemaker, job_request):
    def create(name="Job-1", keep=600, **members):
        resources = SAME | ({"KeepAlivePeriodInSeconds": keep} if keep is not None else {})
        sagemaker.create_training_job(
            **job_request(name, **{"ResourceConfig": resources} | members)
        )

    return create


@pytest.fixture
def ends(server):
    def ends(name="Job-1", events=TO_THE_END, **members):
        facts = {"TrainingStartTime": clock.now()} | members
        server.happens(TRAINING_JOB, name, *events, **facts)

    return ends


@pytest.fixture
def pool(sagemaker):
    def pool(name="Job-1"):
        return sagemaker.describe_training_job(TrainingJobName=name).get("WarmPoolStatus")

    return pool


@pytest.fixture
def update(sagemaker):
    def update(seconds, name="Job-1"):
        resources = {"KeepAlivePeriodInSeconds": seconds}
        return sagemaker.update_training_job(TrainingJobName=name, ResourceConfig=resources)

    return update


@pytest.mark.parametrize("keep", [None, 0])
def test_a_job_that_keeps_nothing_alive_has_no_warm_pool(create, ends, pool, keep):
    create(keep=keep)
    assert pool() is None
    ends()
    assert pool() is None


def test_a_pool_is_in_use_then_available_and_then_over(sagemaker, create, ends, pool, pass_time):
    create(keep=600)
    assert pool() == {"Status": "InUse"}
    ends()
    assert pool()["Status"] == "Available"
    pass_time(200)
    assert pool() == {"Status": "Available", "ResourceRetainedBillableTimeInSeconds": 200}
    pass_time(500)
    assert pool() == {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 600}
    job = sagemaker.describe_training_job(TrainingJobName="Job-1")
    assert job["ResourceConfig"] == SAME | {"KeepAlivePeriodInSeconds": 600}


@pytest.mark.parametrize(
    "events, members, kept",
    [
        ((Event.LAUNCHED, Event.EXITED_NONZERO, Event.SAVED), {}, True),
        ((Event.LAUNCHED, Event.STOP_REQUESTED, Event.EXITED, Event.SAVED), {}, True),
        ((Event.LAUNCHED, Event.RUNTIME_EXCEEDED, Event.EXITED, Event.SAVED), {}, True),
        ((Event.DOWNLOAD_BEGUN, Event.FAULT), {"FailureReason": "ClientError: no data"}, True),
        ((Event.LAUNCHED, Event.FAULT), {"FailureReason": "AlgorithmError: x"}, True),
        ((Event.LAUNCHED, Event.FAULT), {"FailureReason": "InternalServerError: x"}, False),
        ((Event.FAULT,), {"FailureReason": "CapacityError: x"}, False),
    ],
)
def test_instances_are_kept_unless_the_platform_failed(create, ends, pool, events, members, kept):
    create()
    ends(events=events, **members)
    expected = "Available" if kept else "Terminated"
    assert pool()["Status"] == expected


def test_a_job_that_never_had_instances_leaves_none(server, create, pool):
    create()
    server.happens(TRAINING_JOB, "Job-1", Event.STOP_REQUESTED, Event.NOTHING_RAN)
    assert pool() == {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 0}


def test_the_first_job_that_matches_takes_the_pool(create, ends, pool, pass_time):
    create()
    ends()
    pass_time(100)
    create("Other-type", ResourceConfig=SAME | {"InstanceType": "ml.m5.large"})
    create("Other-role", RoleArn="arn:aws:iam::123456789012:role/service-role/Another")
    create("Isolated", EnableNetworkIsolation=True)
    create("In-a-vpc", VpcConfig={"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]})
    assert pool()["Status"] == "Available"
    create("Job-2", keep=None)
    create("Job-3")
    assert pool() == {
        "Status": "Reused",
        "ResourceRetainedBillableTimeInSeconds": 100,
        "ReusedByJob": "Job-2",
    }
    pass_time(1000)
    assert pool()["Status"] == "Reused"
    assert (pool("Job-2"), pool("Job-3")) == (None, {"Status": "InUse"})


def test_of_two_pools_a_job_takes_one(create, ends, pool):
    for name in ("Job-1", "Job-2"):
        create(name)
    for name in ("Job-1", "Job-2"):
        ends(name)
    create("Job-3")
    assert [pool(name)["Status"] for name in ("Job-1", "Job-2")] == ["Reused", "Available"]


def test_the_pool_of_a_running_job_is_not_taken(create, pool):
    create("Job-1")
    create("Job-2")
    assert pool("Job-1") == {"Status": "InUse"}


def test_another_period_ends_or_prolongs_the_pool(create, ends, pool, update, pass_time, arn):
    create(keep=60)
    assert update(600)["TrainingJobArn"] == arn("training-job", "job-1")
    ends()
    pass_time(100)
    assert pool()["Status"] == "Available"
    update(3600)
    pass_time(900)
    assert pool()["Status"] == "Available"
    update(0)
    assert pool() == {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 1000}
    pass_time(500)
    assert pool()["ResourceRetainedBillableTimeInSeconds"] == 1000


def test_a_running_job_may_be_given_a_pool(sagemaker, create, ends, pool, update):
    create(keep=None)
    update(300)
    assert pool() == {"Status": "InUse"}
    job = sagemaker.describe_training_job(TrainingJobName="Job-1")
    assert job["ResourceConfig"] == SAME | {"KeepAlivePeriodInSeconds": 300}
    ends()
    assert pool()["Status"] == "Available"


def test_a_pool_that_is_over_cannot_be_changed(create, ends, update, assert_refused, pass_time):
    create(keep=60)
    ends()
    pass_time(61)
    assert_refused(
        lambda: update(600),
        "ValidationException",
        "The request was rejected because the training job is in status Completed and has no"
        " available warm pool.",
    )


def test_jobs_are_listed_with_and_by_their_pools(sagemaker, create, ends, pass_time):
    for name, keep in (("Job-1", 60), ("Job-2", 600), ("Job-3", None)):
        create(name, keep=keep, RoleArn=f"arn:aws:iam::123456789012:role/service-role/{name}")
    for name in ("Job-1", "Job-2", "Job-3"):
        ends(name)
    create("Job-4")
    pass_time(100)

    def listed(**asked):
        found = sagemaker.list_training_jobs(**asked)["TrainingJobSummaries"]
        return {
            summary["TrainingJobName"]: summary.get("WarmPoolStatus", {}).get("Status")
            for summary in found
        }

    everything = {"Job-1": "Terminated", "Job-2": "Available", "Job-3": None, "Job-4": "InUse"}
    assert listed() == everything
    for status in ("Terminated", "Available", "InUse", "Reused"):
        expected = {name: each for name, each in everything.items() if each == status}
        assert listed(WarmPoolStatusEquals=status) == expected
    assert (
        listed(TrainingPlanArnEquals=f"arn:aws:sagemaker:us-west-2:{'1' * 12}:training-plan/p")
        == {}
    )


def test_a_job_with_an_available_pool_cannot_be_deleted(
    sagemaker, create, ends, update, assert_refused
):
    create()
    ends()
    assert_refused(
        lambda: sagemaker.delete_training_job(TrainingJobName="Job-1"),
        "ResourceInUse",
        "The request was rejected because the training job has an available warm pool. End it by"
        " UpdateTrainingJob with KeepAlivePeriodInSeconds 0.",
    )
    update(0)
    sagemaker.delete_training_job(TrainingJobName="Job-1")


# What else UpdateTrainingJob changes.

RULE = {"RuleConfigurationName": "ProfilerReport", "RuleEvaluatorImage": "debugger:1"}


def test_the_profiler_of_a_running_job_may_be_changed(sagemaker, create):
    create(ProfilerConfig={"S3OutputPath": "s3://out/profile"}, ProfilerRuleConfigurations=[RULE])
    sagemaker.update_training_job(
        TrainingJobName="Job-1",
        ProfilerConfig={"ProfilingIntervalInMilliseconds": 1000},
        ProfilerRuleConfigurations=[
            RULE | {"RuleEvaluatorImage": "debugger:2"},
            RULE | {"RuleConfigurationName": "Idle"},
        ],
    )
    job = sagemaker.describe_training_job(TrainingJobName="Job-1")
    assert job["ProfilerConfig"] == {
        "S3OutputPath": "s3://out/profile",
        "ProfilingIntervalInMilliseconds": 1000,
        "DisableProfiler": False,
    }
    rules = {
        rule["RuleConfigurationName"]: rule["RuleEvaluatorImage"]
        for rule in job["ProfilerRuleConfigurations"]
    }
    assert rules == {"ProfilerReport": "debugger:2", "Idle": "debugger:1"}
    statuses = job["ProfilerRuleEvaluationStatuses"]
    assert [rule["RuleConfigurationName"] for rule in statuses] == ["ProfilerReport", "Idle"]
    sagemaker.update_training_job(TrainingJobName="Job-1", ProfilerConfig={"DisableProfiler": True})
    job = sagemaker.describe_training_job(TrainingJobName="Job-1")
    assert job["ProfilingStatus"] == "Disabled"


@pytest.mark.parametrize(
    "change",
    [{"ProfilerConfig": {"DisableProfiler": True}}, {"ProfilerRuleConfigurations": [RULE]}],
)
def test_the_profiler_of_a_job_that_has_ended_may_not(
    sagemaker, create, ends, assert_refused, change
):
    create()
    ends()
    assert_refused(
        lambda: sagemaker.update_training_job(TrainingJobName="Job-1", **change),
        "ValidationException",
        "The request was rejected because the training job is in status Completed.",
    )


def test_remote_debugging_is_not_there_and_may_be_switched_off_while_training(
    server, sagemaker, create, assert_refused
):
    create()

    def debug(enable):
        config = {"EnableRemoteDebug": enable}
        return sagemaker.update_training_job(TrainingJobName="Job-1", RemoteDebugConfig=config)

    assert_refused(
        lambda: debug(True),
        "ValidationException",
        "RemoteDebugConfig.EnableRemoteDebug is not emulated yet.",
    )
    assert_refused(
        lambda: debug(False),
        "ValidationException",
        "The request was rejected because the training job is in secondary status Starting.",
    )
    server.happens(TRAINING_JOB, "Job-1", Event.LAUNCHED)
    debug(False)


def test_an_absent_job_cannot_be_updated(update, assert_refused):
    assert_refused(
        lambda: update(0, "nobody"), "ValidationException", "Requested resource not found."
    )
