"""The trial component that each training job has, as clients of experiments see it."""

import pytest

from emulator.kinds import TRAINING_JOB
from emulator.lifecycle.training_job import Event

COMPONENT = "Job-1-aws-training-job"
RUNNING = (Event.DOWNLOAD_BEGUN, Event.LAUNCHED)
SUMMARY = {"MetricName": "loss", "TimeStamp": 2.0, "Min": 1.0, "Max": 3.0, "Avg": 2.0, "Last": 1.0}


@pytest.fixture
def trial(sagemaker):
    """A trial of an experiment, with one run."""
    sagemaker.create_experiment(ExperimentName="Digits")
    sagemaker.create_trial(TrialName="Group", ExperimentName="Digits")
    sagemaker.create_trial_component(TrialComponentName="digits-run")
    sagemaker.associate_trial_component(TrialComponentName="digits-run", TrialName="Group")
    return "Group"


@pytest.fixture
def create(sagemaker, job_request):
    """Return a function that creates Job-1 with an ExperimentConfig; gives the job's ARN."""

    def create(name="Job-1", /, **config):
        reply = sagemaker.create_training_job(**job_request(name, ExperimentConfig=config))
        return reply["TrainingJobArn"]

    return create


@pytest.fixture
def described(sagemaker):
    return lambda: sagemaker.describe_trial_component(TrialComponentName=COMPONENT)


def components(sagemaker, **by):
    reply = sagemaker.list_trial_components(**by)
    return [one["TrialComponentName"] for one in reply["TrialComponentSummaries"]]


def test_a_job_is_a_component_of_its_trial_and_a_source_of_its_run(
    sagemaker, trial, create, described, arn
):
    config = {
        "ExperimentName": "digits",
        "TrialName": trial,
        "TrialComponentDisplayName": "Training",
        "RunName": "digits-run",
    }
    job = create(**config)
    assert sagemaker.describe_training_job(TrainingJobName="Job-1")["ExperimentConfig"] == config
    source = {"SourceArn": job, "SourceType": "SageMakerTrainingJob"}
    component = described()
    assert component["TrialComponentArn"] == arn("experiment-trial-component", COMPONENT.lower())
    assert (component["DisplayName"], component["Source"]) == ("Training", source)
    (listed,) = sagemaker.list_trial_components(SourceArn=job)["TrialComponentSummaries"]
    assert (listed["TrialComponentName"], listed["TrialComponentSource"]) == (COMPONENT, source)
    assert components(sagemaker, TrialName=trial) == [COMPONENT, "digits-run"]
    assert components(sagemaker, ExperimentName="Digits") == [COMPONENT, "digits-run"]
    run = sagemaker.describe_trial_component(TrialComponentName="digits-run")
    assert run["Sources"] == [source]


def test_a_component_tells_what_the_job_was_asked(sagemaker, job_request, described):
    request = job_request(
        HyperParameters={"epochs": "3", "rate": "1e-3", "name": '"x"', "on": "true", "zip": "007"},
        DebugHookConfig={"S3OutputPath": "s3://out/debug"},
    )
    request["InputDataConfig"][0]["ContentType"] = "text/csv"
    sagemaker.create_training_job(**request)
    component = described()
    assert component["Parameters"] == {
        "epochs": {"NumberValue": 3},
        "rate": {"NumberValue": 0.001},
        "name": {"StringValue": '"x"'},
        "on": {"StringValue": "true"},
        "zip": {"StringValue": "007"},
        "SageMaker.ImageUri": {"StringValue": "chainer:5"},
        "SageMaker.InstanceCount": {"NumberValue": 1},
        "SageMaker.InstanceType": {"StringValue": "ml.m5.xlarge"},
        "SageMaker.VolumeSizeInGB": {"NumberValue": 10},
    }
    assert component["InputArtifacts"] == {
        "train": {"Value": "s3://data/mnist", "MediaType": "text/csv"}
    }
    assert component["OutputArtifacts"] == {
        "SageMaker.ModelArtifact": {"Value": "s3://out/jobs/Job-1/output/model.tar.gz"},
        "SageMaker.DebugHookOutput": {"Value": "s3://out/debug"},
    }


def test_a_component_follows_its_job_and_outlives_it(server, sagemaker, create, described):
    create()
    begun = described()
    assert begun["Status"]["PrimaryStatus"] == "InProgress"
    assert not begun.keys() & {"StartTime", "EndTime"}
    # What clients do that load a component and save it.
    sagemaker.update_trial_component(
        TrialComponentName=COMPONENT,
        Status=begun["Status"],
        Parameters={"more": {"StringValue": "yes"}},
    )
    server.happens(TRAINING_JOB, "Job-1", *RUNNING, TrainingStartTime=1000.5)
    assert described()["StartTime"].timestamp() == 1000.5
    record = server.happens(TRAINING_JOB, "Job-1", Event.EXITED_NONZERO, FailureReason="bad luck")
    server.happens(TRAINING_JOB, "Job-1", Event.SAVED, MetricSummaries=[SUMMARY])
    ended = described()
    assert ended["Status"]["PrimaryStatus"] == "Failed"
    assert "bad luck" in ended["Status"]["Message"]
    assert ended["EndTime"].timestamp() == pytest.approx(record.document["TrainingEndTime"], abs=1)
    assert ended["LastModifiedTime"] > begun["LastModifiedTime"]
    assert ended["Parameters"]["more"] == {"StringValue": "yes"}
    (metric,) = ended["Metrics"]
    assert (metric["MetricName"], metric["Avg"]) == ("loss", 2.0)
    assert metric["SourceArn"] == ended["Source"]["SourceArn"]
    sagemaker.delete_training_job(TrainingJobName="Job-1")
    kept = described()
    for member in ("Status", "StartTime", "EndTime", "Metrics", "Source", "Parameters"):
        assert kept[member] == ended[member]


def test_metrics_of_a_user_stand_beside_the_jobs(server, sagemaker, create, client, described):
    create()
    server.happens(TRAINING_JOB, "Job-1", *RUNNING, MetricSummaries=[SUMMARY])
    data = [{"MetricName": "own", "Timestamp": 1, "Value": 5.0}]
    name = COMPONENT.lower()
    client("sagemaker-metrics").batch_put_metrics(TrialComponentName=name, MetricData=data)
    assert [one["MetricName"] for one in described()["Metrics"]] == ["loss", "own"]


def test_a_search_finds_components_by_what_their_jobs_are_at(server, sagemaker, trial, create):
    create(TrialName=trial)
    create("Job-2", TrialName=trial)
    server.happens(TRAINING_JOB, "Job-1", *RUNNING, MetricSummaries=[SUMMARY])
    server.happens(TRAINING_JOB, "Job-1", Event.EXITED_ZERO, Event.SAVED)

    def found(*filters):
        keys = ("Name", "Operator", "Value")
        expression = {"Filters": [dict(zip(keys, one, strict=True)) for one in filters]}
        reply = sagemaker.search(Resource="ExperimentTrialComponent", SearchExpression=expression)
        return [one["TrialComponent"] for one in reply["Results"]]

    in_trial = ("Parents.TrialName", "Equals", "Group")
    (one,) = found(in_trial, ("Status.PrimaryStatus", "Equals", "Completed"))
    assert one["TrialComponentName"] == COMPONENT
    assert one["SourceDetail"]["TrainingJob"]["TrainingJobName"] == "Job-1"
    assert one["Parents"] == [{"TrialName": "Group", "ExperimentName": "Digits"}]
    (same,) = found(("Metrics.loss.Max", "GreaterThan", "2"))
    assert same["TrialComponentName"] == COMPONENT
    assert len(found(in_trial, ("Source.SourceType", "Equals", "SageMakerTrainingJob"))) == 2
    (of_trial,) = sagemaker.search(Resource="ExperimentTrial")["Results"]
    told = of_trial["Trial"]["TrialComponentSummaries"]
    assert {"SageMakerTrainingJob"} == {
        one["TrialComponentSource"]["SourceType"] for one in told if "TrialComponentSource" in one
    }


def test_a_component_leaves_its_trial_and_is_deleted_while_the_job_runs(sagemaker, trial, create):
    job = create(TrialName=trial)
    with pytest.raises(sagemaker.exceptions.ClientError, match="linked to 1 or more"):
        sagemaker.delete_trial(TrialName=trial)
    for name in (COMPONENT, "digits-run"):
        sagemaker.disassociate_trial_component(TrialComponentName=name, TrialName=trial)
    sagemaker.delete_trial(TrialName=trial)
    sagemaker.delete_trial_component(TrialComponentName=COMPONENT)
    assert components(sagemaker, SourceArn=job) == []
    sagemaker.stop_training_job(TrainingJobName="Job-1")


def test_without_a_trial_a_job_gets_one_of_its_experiment_or_none(sagemaker, trial, create):
    create()
    assert sagemaker.list_trials(TrialComponentName=COMPONENT)["TrialSummaries"] == []
    create("Job-2", ExperimentName="Digits")
    by = {"TrialComponentName": "Job-2-aws-training-job", "ExperimentName": "Digits"}
    (made,) = sagemaker.list_trials(**by)["TrialSummaries"]
    assert made["TrialName"].startswith("Job-2-")


def test_a_job_of_what_is_not_there_is_not_created(sagemaker, trial, create, assert_refused, arn):
    sagemaker.create_experiment(ExperimentName="Other")
    absent = "{} '{}' does not exist."
    for config, code, text in [
        (
            {"ExperimentName": "nobody"},
            "ResourceNotFound",
            absent.format("Experiment", arn("experiment", "nobody")),
        ),
        (
            {"TrialName": "nobody"},
            "ResourceNotFound",
            absent.format("Trial", arn("experiment-trial", "nobody")),
        ),
        (
            {"TrialName": trial, "RunName": "nobody"},
            "ResourceNotFound",
            absent.format("TrialComponent", arn("experiment-trial-component", "nobody")),
        ),
        (
            {"TrialName": trial, "ExperimentName": "Other"},
            "ValidationException",
            f"Trial '{arn('experiment-trial', 'group')}' is not of Experiment"
            f" '{arn('experiment', 'other')}'.",
        ),
    ]:
        assert_refused(lambda config=config: create(**config), code, text)
    assert sagemaker.list_training_jobs()["TrainingJobSummaries"] == []
    assert components(sagemaker) == ["digits-run"]


def test_a_job_takes_over_the_component_of_a_deleted_job_of_its_name(
    server, sagemaker, trial, create, described
):
    create(TrialName=trial)
    server.happens(TRAINING_JOB, "Job-1", *RUNNING, TrainingStartTime=1000.5)
    server.happens(TRAINING_JOB, "Job-1", Event.FAULT, MetricSummaries=[SUMMARY])
    sagemaker.delete_training_job(TrainingJobName="Job-1")
    create()
    component = described()
    assert component["Status"]["PrimaryStatus"] == "InProgress"
    assert (component["Metrics"], "StartTime" in component) == ([], False)
    assert COMPONENT in components(sagemaker, TrialName=trial)
