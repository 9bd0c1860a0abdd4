"""Experiments: named collections of trials; nothing runs for them."""

from emulator.call import Call, Document
from emulator.errors import ValidationException
from emulator.kinds import EXPERIMENT, TRIAL
from emulator.operations.record_kinds import EXPERIMENTS
from emulator.operations.records import answer
from emulator.operations.registry import operation

answer(EXPERIMENTS, "Create", "Describe", "Update", "List")


@operation("DeleteExperiment")
def delete(call: Call, request: Document) -> Document:
    """Forget an experiment; raises ValidationException while it has trials."""
    with call.store.transaction():
        record = EXPERIMENTS.find(call, request["ExperimentName"])
        trials = call.store.select(TRIAL, call.scope)
        if any(trial.document["ExperimentName"] == record.name for trial in trials):
            raise ValidationException(
                f"Experiment '{record.arn}' is linked to 1 or more trials and cannot be deleted."
            )
        call.store.remove(EXPERIMENT, call.scope, record.name)
    return record.document
