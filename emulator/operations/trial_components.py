"""Trial components: what a trial is made of, with parameters and artifacts; nothing runs for them.

One component may be a part of many trials. Which, its own document says.
"""

from emulator.call import Call, Document
from emulator.errors import ResourceNotFound, ValidationException
from emulator.kinds import TRIAL, TRIAL_COMPONENT
from emulator.operations import job_components, lineage, trial_metrics
from emulator.operations.record_kinds import EXPERIMENTS, TRIAL_COMPONENTS, TRIALS, TRIALS_OF
from emulator.operations.records import answer
from emulator.operations.registry import operation

answer(TRIAL_COMPONENTS, "Update")


@operation("CreateTrialComponent")
def create(call: Call, request: Document) -> Document:
    return TRIAL_COMPONENTS.keep(call, request, {TRIALS_OF: []})


@operation("DescribeTrialComponent")
def describe(call: Call, request: Document) -> Document:
    found = TRIAL_COMPONENTS.find(call, request["TrialComponentName"])
    component = job_components.shown(call, found)
    return component.document | {"Metrics": trial_metrics.summaries(call, component)}


@operation("ListTrialComponents")
def list_(call: Call, request: Document) -> Document:
    if "SourceArn" in request and request.keys() & {"ExperimentName", "TrialName"}:
        raise ValidationException(
            "Specify either SourceArn or ExperimentName and TrialName, not both."
        )
    components = call.store.select(TRIAL_COMPONENT, call.scope)
    found = [job_components.shown(call, component).document for component in components]
    if "SourceArn" in request:
        source = request["SourceArn"]
        found = [one for one in found if one.get("Source", {}).get("SourceArn") == source]
    if "TrialName" in request:
        found = _parts_of(found, {TRIALS.find(call, request["TrialName"]).name})
    if "ExperimentName" in request:
        found = _parts_of(found, _trials_of(call, request["ExperimentName"]))
    return TRIAL_COMPONENTS.listing.page(call, request, found)


@operation("DeleteTrialComponent")
def delete(call: Call, request: Document) -> Document:
    """Forget a component; raises ValidationException while it is a part of a trial."""
    with call.store.transaction():
        record = TRIAL_COMPONENTS.find(call, request["TrialComponentName"])
        if record.document[TRIALS_OF]:
            raise ValidationException(
                f"TrialComponent '{record.arn}' is linked to 1 or more trials and cannot be"
                " deleted."
            )
        lineage.forget_associations(call, record.arn)
        call.store.remove(TRIAL_COMPONENT, call.scope, record.name)
    return record.document


@operation("AssociateTrialComponent")
def associate(call: Call, request: Document) -> Document:
    """Make a component a part of a trial; doing it twice equals doing it once."""
    with call.store.transaction():
        trial = TRIALS.find(call, request["TrialName"])

        def join(document: Document) -> Document:
            others = [name for name in document[TRIALS_OF] if name != trial.name]
            return document | {TRIALS_OF: [*others, trial.name]}

        component = TRIAL_COMPONENTS.change(call, request["TrialComponentName"], join)
    return component | {"TrialArn": trial.arn}


@operation("DisassociateTrialComponent")
def disassociate(call: Call, request: Document) -> Document:
    with call.store.transaction():
        trial = TRIALS.find(call, request["TrialName"])

        def leave(document: Document) -> Document:
            if trial.name not in document[TRIALS_OF]:
                raise ResourceNotFound(
                    f"TrialComponent '{document['TrialComponentArn']}' is not associated with"
                    f" Trial '{trial.arn}'."
                )
            others = [name for name in document[TRIALS_OF] if name != trial.name]
            return document | {TRIALS_OF: others}

        component = TRIAL_COMPONENTS.change(call, request["TrialComponentName"], leave)
    return component | {"TrialArn": trial.arn}


def _trials_of(call: Call, experiment: str) -> set[str]:
    name = EXPERIMENTS.find(call, experiment).name
    trials = call.store.select(TRIAL, call.scope)
    return {trial.name for trial in trials if trial.document["ExperimentName"] == name}


def _parts_of(components: list[Document], trials: set[str]) -> list[Document]:
    return [one for one in components if trials & set(one[TRIALS_OF])]
