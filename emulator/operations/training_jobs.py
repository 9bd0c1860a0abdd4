"""Training jobs: create, describe, list, stop and delete; nothing here runs a container."""

from typing import Any

from emulator import arn as arns
from emulator.call import Call, Document, Record
from emulator.clock import now
from emulator.errors import ResourceInUse, ValidationException
from emulator.kinds import TRAINING_JOB
from emulator.lifecycle import training_job as life
from emulator.lifecycle.training_job import FINAL, Event, Phase
from emulator.operations import s3_uri, tags
from emulator.operations.algorithms import with_metrics
from emulator.operations.listing import Listing
from emulator.operations.registry import operation
from emulator.operations.training_job_request import check, with_defaults

LISTING = Listing(
    TRAINING_JOB,
    result="TrainingJobSummaries",
    name="TrainingJobName",
    status="TrainingJobStatus",
    order="Ascending",
    cuts_first=True,
)


@operation("CreateTrainingJob")
def create(call: Call, request: Document) -> Document:
    name = request["TrainingJobName"]
    labels = tags.given(request)
    check(call, request)
    at = now()
    described = with_defaults(request)
    document = {
        **described,
        "AlgorithmSpecification": with_metrics(described["AlgorithmSpecification"]),
        **_rules_left_alone(request, at),
        "TrainingJobArn": arns.of(call.scope, TRAINING_JOB.arn_segment, name),
        "ModelArtifacts": {"S3ModelArtifacts": _artifacts(name, request["OutputDataConfig"])},
    }
    record = call.store.create(TRAINING_JOB, call.scope, name, *life.born(document, at), labels)
    call.wake(TRAINING_JOB, call.scope, name)
    return record.document


@operation("DescribeTrainingJob")
def describe(call: Call, request: Document) -> Document:
    return call.store.fetch(TRAINING_JOB, call.scope, request["TrainingJobName"]).document


@operation("ListTrainingJobs")
def list_(call: Call, request: Document) -> Document:
    if "WarmPoolStatusEquals" in request or "TrainingPlanArnEquals" in request:
        # No job here has a warm pool or a training plan: creation refuses both.
        return {LISTING.result: []}
    return LISTING.page(call, request)


@operation("StopTrainingJob")
def stop(call: Call, request: Document) -> Document:
    name = request["TrainingJobName"]
    call.store.change(TRAINING_JOB, call.scope, name, _stop_requested, event=Event.STOP_REQUESTED)
    call.wake(TRAINING_JOB, call.scope, name)
    return {}


@operation("DeleteTrainingJob")
def delete(call: Call, request: Document) -> Document:
    name = request["TrainingJobName"]
    record = call.store.fetch(TRAINING_JOB, call.scope, name)
    if Phase(record.phase) not in FINAL:
        raise ResourceInUse(_rejected(record))
    call.store.remove(TRAINING_JOB, call.scope, name)
    call.wake(TRAINING_JOB, call.scope, name)
    return {}


def _stop_requested(record: Record) -> tuple[str, Document]:
    if Phase(record.phase) in FINAL:
        raise ValidationException(_rejected(record))
    return life.advance(record.document, record.phase, Event.STOP_REQUESTED, now())


def _rejected(record: Record) -> str:
    status = record.document["TrainingJobStatus"]
    return f"The request was rejected because the training job is in status {status}."


def _artifacts(name: str, output: Document) -> str:
    """Return where the model will be (contract B3); an uncompressed one is a prefix."""
    bucket, prefix = s3_uri.parse(output["S3OutputPath"], "OutputDataConfig.S3OutputPath")
    folder = "/".join(filter(None, (f"s3://{bucket}", prefix.rstrip("/"), name, "output")))
    uncompressed = output.get("CompressionType") == "NONE"
    return f"{folder}/model/" if uncompressed else f"{folder}/model.tar.gz"


def _rules_left_alone(request: Document, at: float) -> Document:
    """Return the status of debugger and profiler rules, which no container here evaluates.

    They are not refused because the SageMaker Python SDK adds a profiler rule to every job.
    """
    return {
        f"{family}RuleEvaluationStatuses": [_left_alone(rule, at) for rule in rules]
        for family in ("Debug", "Profiler")
        if (rules := request.get(f"{family}RuleConfigurations"))
    }


def _left_alone(rule: Document, at: float) -> dict[str, Any]:
    return {
        "RuleConfigurationName": rule["RuleConfigurationName"],
        "RuleEvaluationStatus": "Error",
        "StatusDetails": "Rule evaluation is not emulated yet.",
        "LastModifiedTime": at,
    }
