"""How a training job moves: the whole life of a job is the table below (contract B2, B5).

Only `advance` and `remark` write a job's status members; operations and the reconciler call them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from emulator.lifecycle.machine import move

Document = dict[str, Any]


class Phase(StrEnum):
    """Where the job is; several phases share one SecondaryStatus."""

    STARTING = "Starting"
    DOWNLOADING = "Downloading"
    TRAINING = "Training"
    UPLOADING = "Uploading"
    UPLOADING_FAILED = "UploadingFailed"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    UPLOADING_STOPPED = "UploadingStopped"
    STOPPED = "Stopped"
    OUT_OF_TIME = "OutOfTime"
    UPLOADING_OUT_OF_TIME = "UploadingOutOfTime"
    MAX_RUNTIME_EXCEEDED = "MaxRuntimeExceeded"


class Event(StrEnum):
    """What happened to the job."""

    DOWNLOAD_BEGUN = "DownloadBegun"
    LAUNCHED = "Launched"
    EXITED_ZERO = "ExitedZero"
    EXITED_NONZERO = "ExitedNonzero"
    EXITED = "Exited"
    NOTHING_RAN = "NothingRan"
    SAVED = "Saved"
    FAULT = "Fault"
    STOP_REQUESTED = "StopRequested"
    RUNTIME_EXCEEDED = "RuntimeExceeded"


@dataclass(frozen=True)
class Meaning:
    """What a client reads in a phase."""

    status: str
    secondary: str
    message: str


MEANING: dict[Phase, Meaning] = {
    Phase.STARTING: Meaning("InProgress", "Starting", "Starting the training job"),
    Phase.DOWNLOADING: Meaning("InProgress", "Downloading", "Downloading input data"),
    Phase.TRAINING: Meaning("InProgress", "Training", "Downloading the training image"),
    Phase.UPLOADING: Meaning("InProgress", "Uploading", "Uploading generated training model"),
    Phase.UPLOADING_FAILED: Meaning(
        "InProgress", "Uploading", "Uploading generated training model"
    ),
    Phase.COMPLETED: Meaning("Completed", "Completed", "Training job completed"),
    Phase.FAILED: Meaning("Failed", "Failed", "Training job failed"),
    Phase.STOPPING: Meaning("Stopping", "Stopping", "Stopping the training job"),
    Phase.UPLOADING_STOPPED: Meaning("Stopping", "Uploading", "Uploading generated training model"),
    Phase.STOPPED: Meaning("Stopped", "Stopped", "Training job stopped"),
    Phase.OUT_OF_TIME: Meaning("Stopping", "Stopping", "Stopping the training job"),
    Phase.UPLOADING_OUT_OF_TIME: Meaning(
        "Stopping", "Uploading", "Uploading generated training model"
    ),
    Phase.MAX_RUNTIME_EXCEEDED: Meaning(
        "Stopped",
        "MaxRuntimeExceeded",
        "Training job runtime exceeded MaxRuntimeInSeconds provided",
    ),
}

FINAL = frozenset({Phase.COMPLETED, Phase.FAILED, Phase.STOPPED, Phase.MAX_RUNTIME_EXCEEDED})

SPOT_SHARE = 0.3
"""Of a spot job's time, what is billed: a usual price of spot instances. AWS shows the rest as
savings, (1 - BillableTimeInSeconds / TrainingTimeInSeconds) * 100, also of a job that was never
interrupted."""

LAUNCHING = "Launching requested ML instances"
PREPARING = "Preparing the instances for training"
IMAGE_READY = "Training image download completed. Training in progress."

_P, _E = Phase, Event

MOVES: dict[tuple[Phase, Event], Phase] = {
    (_P.STARTING, _E.DOWNLOAD_BEGUN): _P.DOWNLOADING,
    (_P.STARTING, _E.LAUNCHED): _P.TRAINING,
    (_P.STARTING, _E.FAULT): _P.FAILED,
    (_P.STARTING, _E.STOP_REQUESTED): _P.STOPPING,
    (_P.DOWNLOADING, _E.LAUNCHED): _P.TRAINING,
    (_P.DOWNLOADING, _E.FAULT): _P.FAILED,
    (_P.DOWNLOADING, _E.STOP_REQUESTED): _P.STOPPING,
    (_P.DOWNLOADING, _E.RUNTIME_EXCEEDED): _P.OUT_OF_TIME,
    (_P.TRAINING, _E.EXITED_ZERO): _P.UPLOADING,
    (_P.TRAINING, _E.EXITED_NONZERO): _P.UPLOADING_FAILED,
    (_P.TRAINING, _E.FAULT): _P.FAILED,
    (_P.TRAINING, _E.STOP_REQUESTED): _P.STOPPING,
    (_P.TRAINING, _E.RUNTIME_EXCEEDED): _P.OUT_OF_TIME,
    (_P.UPLOADING, _E.SAVED): _P.COMPLETED,
    (_P.UPLOADING, _E.FAULT): _P.FAILED,
    (_P.UPLOADING, _E.STOP_REQUESTED): _P.UPLOADING_STOPPED,
    (_P.UPLOADING_FAILED, _E.SAVED): _P.FAILED,
    (_P.UPLOADING_FAILED, _E.FAULT): _P.FAILED,
    (_P.UPLOADING_FAILED, _E.STOP_REQUESTED): _P.UPLOADING_FAILED,
    (_P.STOPPING, _E.NOTHING_RAN): _P.STOPPED,
    (_P.STOPPING, _E.EXITED): _P.UPLOADING_STOPPED,
    (_P.STOPPING, _E.FAULT): _P.STOPPED,
    (_P.UPLOADING_STOPPED, _E.SAVED): _P.STOPPED,
    (_P.UPLOADING_STOPPED, _E.FAULT): _P.STOPPED,
    (_P.OUT_OF_TIME, _E.NOTHING_RAN): _P.MAX_RUNTIME_EXCEEDED,
    (_P.OUT_OF_TIME, _E.EXITED): _P.UPLOADING_OUT_OF_TIME,
    (_P.OUT_OF_TIME, _E.FAULT): _P.MAX_RUNTIME_EXCEEDED,
    (_P.UPLOADING_OUT_OF_TIME, _E.SAVED): _P.MAX_RUNTIME_EXCEEDED,
    (_P.UPLOADING_OUT_OF_TIME, _E.FAULT): _P.MAX_RUNTIME_EXCEEDED,
}
# A stop of a job that is stopping already is accepted and changes nothing (contract B5).
MOVES |= {
    (phase, _E.STOP_REQUESTED): phase
    for phase in (_P.STOPPING, _P.UPLOADING_STOPPED, _P.OUT_OF_TIME, _P.UPLOADING_OUT_OF_TIME)
}


def born(document: Document, at: float) -> tuple[Phase, Document]:
    """Return the phase and document of a job just accepted at `at` (epoch seconds)."""
    new = {**document, "CreationTime": at, "SecondaryStatusTransitions": []}
    return Phase.STARTING, _entered(new, Phase.STARTING, at)


def advance(document: Document, phase: str, event: Event, at: float) -> tuple[Phase, Document]:
    """Move the job by the table.

    Args:
        document: the job's document; left as it is.
        phase: the job's current phase.
        event: what happened.
        at: when, in epoch seconds.

    Returns:
        The new phase and the new document.

    Raises:
        IllegalMove: the table has no such row.
    """
    old = Phase(phase)
    new = move(MOVES, old, event)
    return new, document if new is old else _entered(document, new, at)


def remark(document: Document, message: str, at: float) -> Document:
    """Return the document with another StatusMessage within the current status."""
    *earlier, current = document["SecondaryStatusTransitions"]
    return {
        **document,
        "SecondaryStatusTransitions": [*earlier, {**current, "StatusMessage": message}],
        "LastModifiedTime": at,
    }


def _entered(document: Document, phase: Phase, at: float) -> Document:
    meaning = MEANING[phase]
    new = {
        **document,
        "TrainingJobStatus": meaning.status,
        "SecondaryStatus": meaning.secondary,
        "SecondaryStatusTransitions": _transitions(document, phase, at),
        "LastModifiedTime": at,
    }
    if phase is Phase.UPLOADING_FAILED:
        new["TrainingEndTime"] = at
    if phase in FINAL:
        new.setdefault("TrainingEndTime", at)
        if "TrainingStartTime" in new:
            new |= _times(new)
    return new


def _times(document: Document) -> Document:
    """Return the seconds that a job took, and those that AWS would bill (contract B3).

    Of a spot job that is a share, and no whole number of seconds is less than 1: so it took at
    least 2.
    """
    seconds = round(document["TrainingEndTime"] - document["TrainingStartTime"])
    if document.get("EnableManagedSpotTraining"):
        seconds = max(2, seconds)
        billed = max(1, round(seconds * SPOT_SHARE))
    else:
        seconds = billed = max(1, seconds)
    return {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": billed}


def _transitions(document: Document, phase: Phase, at: float) -> list[Document]:
    meaning = MEANING[phase]
    past = list(document["SecondaryStatusTransitions"])
    if past:
        last = past.pop()
        if last["Status"] == meaning.secondary:
            return [*past, {**last, "StatusMessage": meaning.message}]
        past.append({**last, "EndTime": at})
    entered = {
        "Status": meaning.secondary,
        "StartTime": at,
        "StatusMessage": meaning.message,
    }
    if phase in FINAL:
        entered["EndTime"] = at
    return [*past, entered]
