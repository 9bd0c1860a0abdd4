"""What SDK v2 records: runs of experiments with metrics and artifacts, the registry, pipelines."""

import json
from collections.abc import Callable

import pytest
from environments import Shell

pytestmark = pytest.mark.docker
RUNS = """
import json, os
import sagemaker
from sagemaker.analytics import ExperimentAnalytics
from sagemaker.experiments import list_runs
from sagemaker.experiments.experiment import Experiment
from sagemaker.experiments.run import Run, load_run
from sagemaker.estimator import Estimator
from sagemaker.session import Session

session = Session()
told = {}
with Run(experiment_name="digits", run_name="first", sagemaker_session=session) as run:
    run.log_parameter("rate", 0.25)
    run.log_parameters({"optimizer": "adam", "depth": 3})
    for step in range(12):
        run.log_metric(name="loss", value=12.0 - step, step=step)
    with open("notes.txt", "w") as file:
        file.write("a file")
    run.log_file("notes.txt", name="notes", is_output=False)
    run.log_artifact("weights", "s3://bucket/weights", media_type="text/plain")
    # What log_roc_curve and others do once scikit-learn has done its part.
    run._log_graph_artifact({"type": "ROCCurve"}, "ROCCurve", is_output=True, artifact_name="roc")
    estimator = Estimator(
        IMAGE, sagemaker.get_execution_role(), instance_count=1, instance_type="ml.m5.large",
        hyperparameters={"python": "[print('loss:', 20 - n) for n in range(3)]", "depth": 3},
        metric_definitions=[{"Name": "loss", "Regex": "loss: ([0-9]+)"}],
    )
    estimator.fit(job_name="fit-in-run", logs=False)
with load_run(experiment_name="digits", run_name="first", sagemaker_session=session) as run:
    run.log_parameter("later", "yes")
    told["loaded"] = run.run_name
# What a script in the job's container does.
described = session.describe_training_job("fit-in-run")
os.environ["TRAINING_JOB_ARN"] = described["TrainingJobArn"]
with load_run(sagemaker_session=session) as run:
    told["in the job"] = run.run_name
del os.environ["TRAINING_JOB_ARN"]
try:
    with Run(experiment_name="digits", run_name="second", sagemaker_session=session) as run:
        raise ValueError("too bad")
except ValueError:
    pass

client = session.sagemaker_client
first = client.describe_trial_component(TrialComponentName="digits-first")
told["parameters"] = first["Parameters"]
told["status"] = first["Status"]["PrimaryStatus"]
(told["metric"],) = [
    {key: one[key] for key in ("MetricName", "Count", "Min", "Max", "Last")}
    for one in first["Metrics"]
]
told["artifacts"] = sorted([*first["InputArtifacts"], *first["OutputArtifacts"]])
told["failed"] = client.describe_trial_component(TrialComponentName="digits-second")["Status"]
told["runs"] = sorted(one.run_name for one in list_runs("digits", sagemaker_session=session))
job = client.describe_trial_component(TrialComponentName="fit-in-run-aws-training-job")
told["job"] = [job["Status"]["PrimaryStatus"], job["Parameters"]["depth"]]
(loss,) = job["Metrics"]
told["job's"] = [loss[key] for key in ("MetricName", "Min", "Max", "Count")]
told["sources"] = first["Sources"] == [job["Source"]]
edges = client.list_associations(SourceArn=first["TrialComponentArn"])["AssociationSummaries"]
told["lineage"] = [(one["AssociationType"], one["DestinationType"]) for one in edges]
analytics = ExperimentAnalytics(
    experiment_name="digits", sagemaker_session=session, sort_by="metrics.loss.max"
)
frame = analytics.dataframe()
told["rows"] = frame["TrialComponentName"].tolist()
told["best"] = frame["loss - Min"].tolist()[:2]
Experiment.load("digits", sagemaker_session=session)._delete_all(action="--force")
told["left"] = client.list_experiments()["ExperimentSummaries"]
print(json.dumps(told))
"""
REGISTRY = """
import json
from sagemaker.model import Model
from sagemaker.session import Session
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.pipeline import Pipeline

session = Session()
role = "arn:aws:iam::123456789012:role/SageMaker"
told = {"packages": []}
for number in range(2):
    model = Model("image", "s3://bucket/model.tar.gz", role=role, sagemaker_session=session)
    package = model.register(
        content_types=["text/csv"], response_types=["text/csv"],
        inference_instances=["ml.m5.large"], model_package_group_name="Digits",
        approval_status="PendingManualApproval",
    )
    package.update_approval_status("Approved")
    told["packages"].append(package.model_package_arn.rpartition(":")[2])
client = session.sagemaker_client
told["status"] = [
    one["ModelApprovalStatus"]
    for one in client.list_model_packages(ModelPackageGroupName="Digits")["ModelPackageSummaryList"]
]
for message in ("first", "second"):
    steps = [FailStep(name="Fail", error_message=message)]
    pipeline = Pipeline(name="Nightly", steps=steps, sagemaker_session=session)
    pipeline.upsert(role_arn=role)
described = pipeline.describe()
told["pipeline"] = json.loads(described["PipelineDefinition"])["Steps"][0]["Arguments"]
print(json.dumps(told))
"""


def test_runs_are_logged_loaded_searched_and_deleted(
    shell: Callable[..., Shell], scripted_image: str
) -> None:
    script = RUNS.replace("IMAGE", repr(scripted_image))
    told = json.loads(shell("v2").python(script).splitlines()[-1])
    assert told == {
        "loaded": "first",
        "in the job": "first",
        "parameters": {
            "rate": {"NumberValue": 0.25},
            "optimizer": {"StringValue": "adam"},
            "depth": {"NumberValue": 3.0},
            "later": {"StringValue": "yes"},
        },
        "status": "Completed",
        "metric": {"MetricName": "loss", "Count": 12, "Min": 1.0, "Max": 12.0, "Last": 1.0},
        "artifacts": ["notes", "weights"],
        "job": ["Completed", {"NumberValue": 3.0}],
        "job's": ["loss", 18.0, 20.0, 3],
        "sources": True,
        "failed": {"PrimaryStatus": "Failed", "Message": "too bad"},
        "runs": ["first", "second"],
        "lineage": [["Produced", "ROCCurve"]],
        "rows": ["fit-in-run-aws-training-job", "digits-first", "digits-second"],
        "best": [18.0, 1.0],
        "left": [],
    }


def test_models_are_registered_and_pipelines_upserted(shell: Callable[..., Shell]) -> None:
    told = json.loads(shell("v2").python(REGISTRY).splitlines()[-1])
    assert told == {
        "packages": ["model-package/digits/1", "model-package/digits/2"],
        "status": ["Approved", "Approved"],
        "pipeline": {"ErrorMessage": "second"},
    }
