"""How an endpoint moves: the whole life of an endpoint is the table below (contract C4).

Only `born` and `advance` write an endpoint's status members.
"""

from enum import StrEnum
from typing import Any

from emulator.lifecycle.machine import move

Document = dict[str, Any]


class Phase(StrEnum):
    """Where the endpoint is; the value is its EndpointStatus."""

    CREATING = "Creating"
    IN_SERVICE = "InService"
    UPDATING = "Updating"
    FAILED = "Failed"
    DELETING = "Deleting"


SERVING = frozenset({Phase.IN_SERVICE, Phase.UPDATING})
"""The phases in which invocations are answered."""


class Event(StrEnum):
    """What happened to the endpoint."""

    FLEET_READY = "FleetReady"
    FLEET_FAILED = "FleetFailed"
    UPDATE_REQUESTED = "UpdateRequested"
    DELETE_REQUESTED = "DeleteRequested"


_P, _E = Phase, Event

MOVES: dict[tuple[Phase, Event], Phase] = {
    (_P.CREATING, _E.FLEET_READY): _P.IN_SERVICE,
    (_P.CREATING, _E.FLEET_FAILED): _P.FAILED,
    (_P.IN_SERVICE, _E.UPDATE_REQUESTED): _P.UPDATING,
    (_P.IN_SERVICE, _E.DELETE_REQUESTED): _P.DELETING,
    (_P.UPDATING, _E.FLEET_READY): _P.IN_SERVICE,
    (_P.UPDATING, _E.FLEET_FAILED): _P.IN_SERVICE,  # the old fleet goes on serving
    (_P.FAILED, _E.DELETE_REQUESTED): _P.DELETING,
}

IN_PROGRESS = frozenset({_P.CREATING, _P.UPDATING, _P.DELETING})


def born(document: Document, at: float) -> tuple[Phase, Document]:
    """Return the phase and document of an endpoint just accepted at `at` (epoch seconds)."""
    return Phase.CREATING, {
        **document,
        "EndpointStatus": Phase.CREATING.value,
        "CreationTime": at,
        "LastModifiedTime": at,
    }


def advance(document: Document, phase: str, event: Event, at: float) -> tuple[Phase, Document]:
    """Move the endpoint by the table; raises IllegalMove for an unlisted pair."""
    new = move(MOVES, Phase(phase), event)
    return new, {**document, "EndpointStatus": new.value, "LastModifiedTime": at}
