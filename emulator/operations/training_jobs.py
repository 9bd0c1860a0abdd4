"""Training jobs: create, describe, list, stop and delete; nothing here runs a container."""

from contextlib import suppress

from emulator import arn as arns
from emulator.call import Call, Document, Record
from emulator.clock import now
from emulator.errors import ResourceInUse, ValidationException
from emulator.kinds import TRAINING_JOB
from emulator.lifecycle import training_job as life
from emulator.lifecycle import warm_pool
from emulator.lifecycle.training_job import FINAL, Event, Phase
from emulator.operations import job_components, profiling, quotas, s3_uri, tags
from emulator.operations.algorithms import with_metrics
from emulator.operations.listing import Listing
from emulator.operations.registry import operation
from emulator.operations.training_job_request import check, with_defaults


def _shown(document: Document) -> Document:
    """Return the document with what time alone has made of it."""
    pool = warm_pool.status(document, now())
    return {**document, "WarmPoolStatus": pool} if pool else document


def _matches(document: Document, request: Document) -> bool:
    pool = document.get("WarmPoolStatus", {}).get("Status")
    # No job here has a training plan: creation refuses them.
    return (
        request.get("WarmPoolStatusEquals") in (None, pool)
        and "TrainingPlanArnEquals" not in request
    )


LISTING = Listing(
    TRAINING_JOB,
    result="TrainingJobSummaries",
    name="TrainingJobName",
    status="TrainingJobStatus",
    order="Ascending",
    cuts_first=True,
    matches=_matches,
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
        **profiling.described(request, at),
        "TrainingJobArn": arns.of(call.scope, TRAINING_JOB.arn_segment, name),
        "ModelArtifacts": {"S3ModelArtifacts": _artifacts(name, request["OutputDataConfig"])},
    }
    resources = described["ResourceConfig"]
    with call.store.transaction():
        record = call.store.create(
            *(TRAINING_JOB, call.scope, name, *life.born(document, at), labels),
            admit=lambda: quotas.admit(
                *(call, quotas.TRAINING, resources["InstanceType"], resources["InstanceCount"])
            ),
        )
        job_components.create(call, record)
    _take_warm_pool(call, record, at)
    call.wake(TRAINING_JOB, call.scope, name)
    return record.document


@operation("DescribeTrainingJob")
def describe(call: Call, request: Document) -> Document:
    return _shown(call.store.fetch(TRAINING_JOB, call.scope, request["TrainingJobName"]).document)


@operation("ListTrainingJobs")
def list_(call: Call, request: Document) -> Document:
    records = call.store.select(TRAINING_JOB, call.scope)
    return LISTING.page(call, request, (_shown(record.document) for record in records))


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
    if warm_pool.is_available(record.document, now()):
        raise ResourceInUse(
            "The request was rejected because the training job has an available warm pool. End it"
            " by UpdateTrainingJob with KeepAlivePeriodInSeconds 0."
        )
    with call.store.transaction():
        job_components.settle(call, record)
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


def _take_warm_pool(call: Call, job: Record, at: float) -> None:
    """Let a new job take the first available warm pool that suits it (contract B10)."""
    for other in call.store.select(TRAINING_JOB, call.scope):
        if not _is_free(other.document, job.document, at):
            continue
        taken = False

        def take(found: Record) -> tuple[str, Document]:
            nonlocal taken
            # Another new job may have been quicker since the look above.
            taken = _is_free(found.document, job.document, at)
            changed = warm_pool.reused(found.document, job.name, at) if taken else found.document
            return found.phase, changed

        with suppress(ValidationException):  # deleted meanwhile
            call.store.change(TRAINING_JOB, call.scope, other.name, take, event="WarmPoolReused")
        if taken:
            return


def _is_free(document: Document, job: Document, at: float) -> bool:
    return warm_pool.is_available(document, at) and warm_pool.suits(document, job)


def _artifacts(name: str, output: Document) -> str:
    """Return where the model will be (contract B3); an uncompressed one is a prefix."""
    bucket, prefix = s3_uri.parse(output["S3OutputPath"], "OutputDataConfig.S3OutputPath")
    folder = "/".join(filter(None, (f"s3://{bucket}", prefix.rstrip("/"), name, "output")))
    uncompressed = output.get("CompressionType") == "NONE"
    return f"{folder}/model/" if uncompressed else f"{folder}/model.tar.gz"
