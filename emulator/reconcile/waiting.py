"""What a resource says while it waits, for instance for an engine that does not answer.

A training job says it in the StatusMessage of its present status, as AWS does of one that waits
for capacity; endpoints and notebook instances say it in a log stream of the emulator's own, once
for each wait.
"""

from emulator.call import Document, Record, Scope
from emulator.clock import now
from emulator.lifecycle import training_job as life
from emulator.logs import LogSink
from emulator.reconcile import notices

STREAM = "emulator"
"""A stream of its own: by the last line of a container's stream one knows what is passed on."""


def saying(document: Document, phase: str, reason: str, at: float) -> Document:
    """Return a training job's document with the reason for which it waits in this phase."""
    own, said = document.get("Emulator", {}), _message(document)
    noted = _noted(document, phase)
    waiting = {"Phase": phase, "Reason": reason, "Was": noted["Was"] if noted else said}
    return life.remark({**document, "Emulator": {**own, "Waiting": waiting}}, reason, at)


def says(document: Document, phase: str, reason: str) -> bool:
    """Tell whether a training job's document gives this reason already."""
    return _noted(document, phase) is not None and _message(document) == reason


def resumed(document: Document, phase: str, at: float) -> Document:
    """Return a training job's document with the message that it had before it waited."""
    noted = _noted(document, phase)
    if noted is None:
        return document
    own = {key: value for key, value in document["Emulator"].items() if key != "Waiting"}
    # What the pass has said meanwhile stands.
    said = _message(document)
    message = noted["Was"] if said == noted["Reason"] else said
    return life.remark({**document, "Emulator": own}, message, at)


def waits(record: Record) -> bool:
    """Tell whether a training job waits in its present phase."""
    return _noted(record.document, record.phase) is not None


class Waits:
    """Tells of waits in the log groups of those who wait."""

    def __init__(self, logs: LogSink) -> None:
        self._logs = logs
        self._told = set[tuple[Scope, str, str]]()

    def tell(self, record: Record, group: str, stream: str, reason: str) -> None:
        """Write the reason into a stream, unless that was done for this wait."""
        if _key(record) not in self._told:
            self._told.add(_key(record))
            lines = notices.lines([f"Waiting: {reason}"], now())
            self._logs.append(record.scope, group, stream, lines)

    def over(self, record: Record) -> None:
        """Note that a resource waits no more."""
        self._told.discard(_key(record))


def _key(record: Record) -> tuple[Scope, str, str]:
    return record.scope, record.kind, record.name


def _message(document: Document) -> str:
    return str(document["SecondaryStatusTransitions"][-1]["StatusMessage"])


def _noted(document: Document, phase: str) -> Document | None:
    noted: Document | None = document.get("Emulator", {}).get("Waiting")
    return noted if noted and noted["Phase"] == phase else None
