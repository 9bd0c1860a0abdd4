"""UpdateTrainingJob: what may be changed of a job while it runs, and while its warm pool waits."""

from emulator.call import Call, Document, Record
from emulator.clock import now
from emulator.errors import ValidationException
from emulator.kinds import TRAINING_JOB
from emulator.lifecycle import warm_pool
from emulator.operations import profiling
from emulator.operations.refusals import Table, refuse_unemulated
from emulator.operations.registry import operation

NOT_EMULATED: Table = {"RemoteDebugConfig.EnableRemoteDebug": ""}


@operation("UpdateTrainingJob")
def update(call: Call, request: Document) -> Document:
    refuse_unemulated(request, NOT_EMULATED)

    def change(record: Record) -> tuple[str, Document]:
        at = now()
        _check(record.document, request, at)
        changed = _changed(record.document, request, at)
        return record.phase, {**changed, "LastModifiedTime": at}

    name = request["TrainingJobName"]
    record = call.store.change(TRAINING_JOB, call.scope, name, change, event="UpdateRequested")
    return {"TrainingJobArn": record.document["TrainingJobArn"]}


def _check(document: Document, request: Document, at: float) -> None:
    """Raise ValidationException unless the job's status allows the change (contract H5)."""
    status, secondary = document["TrainingJobStatus"], document["SecondaryStatus"]
    runs = status == "InProgress"
    profiled = "ProfilerConfig" in request or "ProfilerRuleConfigurations" in request
    if profiled and not runs:
        raise ValidationException(_rejected("status", status))
    if "ResourceConfig" in request and not (runs or warm_pool.is_available(document, at)):
        raise ValidationException(_rejected("status", status, " and has no available warm pool"))
    if "RemoteDebugConfig" in request and secondary not in ("Downloading", "Training"):
        raise ValidationException(_rejected("secondary status", secondary))


def _rejected(which: str, status: str, more: str = "") -> str:
    return f"The request was rejected because the training job is in {which} {status}{more}."


def _changed(document: Document, request: Document, at: float) -> Document:
    changed = document
    if "ResourceConfig" in request:
        period = request["ResourceConfig"]["KeepAlivePeriodInSeconds"]
        changed = warm_pool.retained(changed, period, at)
    if "ProfilerConfig" in request:
        config = {**changed.get("ProfilerConfig", {}), **request["ProfilerConfig"]}
        changed = {**changed, **profiling.profiler(config)}
    if rules := request.get("ProfilerRuleConfigurations"):
        changed = {**changed, **_with_rules(changed, rules, at)}
    if "RemoteDebugConfig" in request:
        changed = {**changed, "RemoteDebugConfig": request["RemoteDebugConfig"]}
    return changed


def _with_rules(document: Document, rules: list[Document], at: float) -> Document:
    """Return all profiler rules; one of the same name is replaced."""
    known = {
        rule["RuleConfigurationName"]: rule
        for rule in [*document.get("ProfilerRuleConfigurations", []), *rules]
    }
    kept = list(known.values())
    return {
        "ProfilerRuleConfigurations": kept,
        "ProfilerRuleEvaluationStatuses": profiling.left_alone(kept, at),
    }
