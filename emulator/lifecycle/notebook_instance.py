"""How a notebook instance moves: its whole life is the table below (contract E).

Only `born` and `advance` write a notebook instance's status members.
"""

from enum import StrEnum
from typing import Any

from emulator.lifecycle.machine import move

Document = dict[str, Any]


class Phase(StrEnum):
    """Where the notebook instance is; the value is its NotebookInstanceStatus."""

    PENDING = "Pending"
    IN_SERVICE = "InService"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"
    UPDATING = "Updating"
    DELETING = "Deleting"


IDLE = frozenset({Phase.STOPPED, Phase.FAILED})
"""The phases in which nothing runs and nothing is under way."""


class Event(StrEnum):
    """What happened to the notebook instance."""

    READY = "Ready"
    START_FAILED = "StartFailed"
    STOP_REQUESTED = "StopRequested"
    DIED = "Died"
    INTERRUPTED = "Interrupted"
    STOPPED = "Stopped"
    START_REQUESTED = "StartRequested"
    UPDATE_REQUESTED = "UpdateRequested"
    UPDATED = "Updated"
    DELETE_REQUESTED = "DeleteRequested"


_P, _E = Phase, Event

MOVES: dict[tuple[Phase, Event], Phase] = {
    (_P.PENDING, _E.READY): _P.IN_SERVICE,
    (_P.PENDING, _E.START_FAILED): _P.FAILED,
    (_P.IN_SERVICE, _E.STOP_REQUESTED): _P.STOPPING,
    (_P.IN_SERVICE, _E.DIED): _P.FAILED,
    (_P.IN_SERVICE, _E.INTERRUPTED): _P.PENDING,  # the next run starts it again
    (_P.STOPPING, _E.STOPPED): _P.STOPPED,
    (_P.STOPPED, _E.START_REQUESTED): _P.PENDING,
    (_P.FAILED, _E.START_REQUESTED): _P.PENDING,
    (_P.STOPPED, _E.UPDATE_REQUESTED): _P.UPDATING,
    (_P.FAILED, _E.UPDATE_REQUESTED): _P.UPDATING,
    (_P.UPDATING, _E.UPDATED): _P.STOPPED,
    (_P.STOPPED, _E.DELETE_REQUESTED): _P.DELETING,
    (_P.FAILED, _E.DELETE_REQUESTED): _P.DELETING,
}


def sources(event: Event) -> list[Phase]:
    """Return the phases in which an event may happen, in the table's order."""
    return [phase for phase, happens in MOVES if happens is event]


def born(document: Document, at: float) -> tuple[Phase, Document]:
    """Return the phase and document of an instance just accepted at `at` (epoch seconds)."""
    return Phase.PENDING, {
        **document,
        "NotebookInstanceStatus": Phase.PENDING.value,
        "CreationTime": at,
        "LastModifiedTime": at,
    }


def advance(document: Document, phase: str, event: Event, at: float) -> tuple[Phase, Document]:
    """Move the instance by the table; raises IllegalMove for an unlisted pair."""
    new = move(MOVES, Phase(phase), event)
    return new, {**document, "NotebookInstanceStatus": new.value, "LastModifiedTime": at}
