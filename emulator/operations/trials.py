"""Trials: each of one experiment, made of trial components; nothing runs for them."""

from emulator.call import Call, Document
from emulator.errors import ValidationException
from emulator.kinds import TRIAL, TRIAL_COMPONENT
from emulator.operations.record_kinds import EXPERIMENTS, TRIAL_COMPONENTS, TRIALS, TRIALS_OF
from emulator.operations.records import answer
from emulator.operations.registry import operation

answer(TRIALS, "Describe", "Update")


@operation("CreateTrial")
def create(call: Call, request: Document) -> Document:
    with call.store.transaction():
        experiment = EXPERIMENTS.find(call, request["ExperimentName"])
        return TRIALS.keep(call, request, {"ExperimentName": experiment.name})


@operation("ListTrials")
def list_(call: Call, request: Document) -> Document:
    found = [record.document for record in call.store.select(TRIAL, call.scope)]
    if "ExperimentName" in request:
        experiment = EXPERIMENTS.find(call, request["ExperimentName"])
        found = [trial for trial in found if trial["ExperimentName"] == experiment.name]
    if "TrialComponentName" in request:
        component = TRIAL_COMPONENTS.find(call, request["TrialComponentName"])
        found = [trial for trial in found if trial["TrialName"] in component.document[TRIALS_OF]]
    return TRIALS.listing.page(call, request, found)


@operation("DeleteTrial")
def delete(call: Call, request: Document) -> Document:
    """Forget a trial; raises ValidationException while it has trial components."""
    with call.store.transaction():
        record = TRIALS.find(call, request["TrialName"])
        components = call.store.select(TRIAL_COMPONENT, call.scope)
        if any(record.name in component.document[TRIALS_OF] for component in components):
            raise ValidationException(
                f"Trial '{record.arn}' is linked to 1 or more trial components and cannot be"
                " deleted."
            )
        call.store.remove(TRIAL, call.scope, record.name)
    return record.document
