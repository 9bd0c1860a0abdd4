"""The trial component that each training job has: made with the job, and told from the job.

What changes while the job runs is in the document of the job alone, and whoever reads the component
looks there. So no transition has two places to write to.
"""

from dataclasses import replace
from math import isfinite
from secrets import token_hex

import orjson

from emulator import arn as arns
from emulator.call import Call, Document, Record
from emulator.errors import ValidationException
from emulator.kinds import TRIAL_COMPONENT
from emulator.logs.statistics import SUMMARIES
from emulator.operations import lineage
from emulator.operations.record_kinds import EXPERIMENTS, TRIAL_COMPONENTS, TRIALS, TRIALS_OF

_SUFFIX = "-aws-training-job"


def create(call: Call, job: Record) -> None:
    """Make the component of a job that is being created, as its ExperimentConfig says.

    Raises:
        ResourceNotFound: the experiment, trial or run is not there.
        ValidationException: the trial is of another experiment, or the user has made a component
            of the name.
    """
    config = job.document.get("ExperimentConfig", {})
    source = {"SourceArn": job.arn, "SourceType": "SageMakerTrainingJob"}
    trials = _trials(call, config, job.name)
    run: Document = {}
    if "RunName" in config:
        # The SDKs give the name of the run's own trial component.
        TRIAL_COMPONENTS.change(call, config["RunName"], lambda found: _with_source(found, source))
        run = {"RunName": config["RunName"]}
    if old := _component(call, job):
        # Of a job of this name that was deleted. What the user has it in, the new one is in.
        trials = list(dict.fromkeys([*old.document[TRIALS_OF], *trials]))
        lineage.forget_associations(call, old.arn)
        call.store.remove(TRIAL_COMPONENT, call.scope, old.name)
    name = f"{job.name}{_SUFFIX}"
    members = {
        "DisplayName": config.get("TrialComponentDisplayName", name),
        "Source": source,
        # A summary calls it so.
        "TrialComponentSource": source,
        **_given(job.document),
        **run,
        TRIALS_OF: trials,
    }
    TRIAL_COMPONENTS.keep(call, {"TrialComponentName": name}, members)


def shown(call: Call, component: Record) -> Record:
    """Return a trial component with what its job is at; any other one as it is."""
    source = component.document.get("Source")
    job = call.store.find_arn(source["SourceArn"]) if source else None
    if job is None:
        return component
    changed = max(job.document["LastModifiedTime"], component.document["LastModifiedTime"])
    return replace(
        component,
        document={
            **component.document,
            **_told(job),
            "LastModifiedTime": changed,
            "SourceDetail": {"SourceArn": job.arn, "TrainingJob": job.document},
        },
    )


def settle(call: Call, job: Record) -> None:
    """Write into a job's component how the job ended, before the job is forgotten."""
    if component := _component(call, job):
        TRIAL_COMPONENTS.change(call, component.name, lambda document: document | _told(job))


def _component(call: Call, job: Record) -> Record | None:
    """Return a job's component, unless it was deleted or the user has made it."""
    arn = arns.of(call.scope, TRIAL_COMPONENT.arn_segment, f"{job.name}{_SUFFIX}")
    found = call.store.find_arn(arn)
    return found if found and "Source" in found.document else None


def _trials(call: Call, config: Document, job_name: str) -> list[str]:
    experiment = trial = None
    if "ExperimentName" in config:
        experiment = EXPERIMENTS.find(call, config["ExperimentName"])
    if "TrialName" in config:
        trial = TRIALS.find(call, config["TrialName"])
        if experiment and trial.document["ExperimentName"] != experiment.name:
            raise ValidationException(
                f"Trial '{trial.arn}' is not of Experiment '{experiment.arn}'."
            )
        return [trial.name]
    if experiment is None:
        return []
    # AWS makes a trial, too, whose name it does not tell.
    name = f"{job_name}-{token_hex(4)}"
    TRIALS.keep(call, {"TrialName": name}, {"ExperimentName": experiment.name})
    return [name]


def _with_source(run: Document, source: Document) -> Document:
    others = [one for one in run.get("Sources", []) if one != source]
    return run | {"Sources": [*others, source]}


def _given(job: Document) -> Document:
    """Return what the request alone says of a component."""
    resources, artifacts = job["ResourceConfig"], job["ModelArtifacts"]
    own: Document = {
        "SageMaker.ImageUri": _text(job["AlgorithmSpecification"]["TrainingImage"]),
        "SageMaker.InstanceCount": _number(resources["InstanceCount"]),
        "SageMaker.InstanceType": _text(resources["InstanceType"]),
    }
    if "VolumeSizeInGB" in resources:
        own["SageMaker.VolumeSizeInGB"] = _number(resources["VolumeSizeInGB"])
    outputs = {"SageMaker.ModelArtifact": {"Value": artifacts["S3ModelArtifacts"]}}
    if hook := job.get("DebugHookConfig"):
        outputs["SageMaker.DebugHookOutput"] = {"Value": hook["S3OutputPath"]}
    return {
        "Parameters": {
            **{name: _parameter(value) for name, value in job.get("HyperParameters", {}).items()},
            **own,
        },
        "InputArtifacts": {
            channel["ChannelName"]: _input(channel) for channel in job.get("InputDataConfig", [])
        },
        "OutputArtifacts": outputs,
    }


def _parameter(value: str) -> Document:
    """Return a hyperparameter, which is always text, as a number if it is one in JSON."""
    try:
        number = orjson.loads(value)
    except orjson.JSONDecodeError:
        return _text(value)
    # True and false are of int's kind.
    if type(number) not in (int, float) or not isfinite(number):
        return _text(value)
    return _number(number)


def _number(value: float) -> Document:
    return {"NumberValue": value}


def _text(value: str) -> Document:
    return {"StringValue": value}


def _input(channel: Document) -> Document:
    artifact = {"Value": channel["DataSource"]["S3DataSource"]["S3Uri"]}
    if "ContentType" in channel:
        artifact["MediaType"] = channel["ContentType"]
    return artifact


def _told(job: Record) -> Document:
    """Return what a job says of its component."""
    document = job.document
    status = document["TrainingJobStatus"]
    # [mem] In the words that a processing job's component was seen to have.
    message = (
        f"Status: {status}, secondary status: {document['SecondaryStatus']},"
        f" failure reason: {document.get('FailureReason', 'null')}"
    )
    told: Document = {"Status": {"PrimaryStatus": status, "Message": message[:_LONGEST_MESSAGE]}}
    times = {"StartTime": "TrainingStartTime", "EndTime": "TrainingEndTime"}
    told |= {name: document[of] for name, of in times.items() if of in document}
    if SUMMARIES in document:
        told["Metrics"] = [{**one, "SourceArn": job.arn} for one in document[SUMMARIES]]
    return told


_LONGEST_MESSAGE = 1024
