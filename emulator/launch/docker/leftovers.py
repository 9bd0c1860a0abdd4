"""What emulators have made on an engine, by emulator, whichever it was; and its removal.

Only what bears our labels is listed, and nothing here decides whether it is still needed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import labels
from .engine import Engine


@dataclass
class Leftovers:
    """Everything on the engine that one emulator has made.

    Attributes:
        instance: the emulator's id.
        machine, state: where it ran, and its state directory there; empty if that is not known.
        containers: names, jobs before the pauses whose network they have.
    """

    instance: str
    machine: str = ""
    state: str = ""
    containers: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        found = {
            "containers": self.containers,
            "networks": self.networks,
            "volumes": self.volumes,
        }
        return ", ".join(f"{len(names)} {what}" for what, names in found.items() if names)


def find(engine: Engine) -> list[Leftovers]:
    """Return what there is, in the order of the emulators' ids.

    Raises TemporaryError when the engine does not answer.
    """
    found: dict[str, Leftovers] = {}

    def of(marks: Mapping[str, str]) -> Leftovers:
        instance = marks[labels.INSTANCE]
        left = found.setdefault(instance, Leftovers(instance))
        left.machine = left.machine or marks.get(labels.MACHINE, "")
        left.state = left.state or marks.get(labels.STATE, "")
        return left

    ours = {"label": [labels.INSTANCE]}
    containers = engine.get("/containers/json", all=1, filters=ours)
    # A pause goes after the job whose network it has: Podman refuses any other order.
    for container in sorted(containers, key=lambda each: each["Labels"][labels.ROLE] != labels.JOB):
        of(container["Labels"]).containers.append(container["Names"][0].removeprefix("/"))
    for network in engine.get("/networks", filters=ours):
        of(network["Labels"]).networks.append(network["Name"])
    for volume in _volumes(engine, ours):
        of(volume["Labels"]).volumes.append(volume["Name"])
    return sorted(found.values(), key=lambda left: left.instance)


def remove(engine: Engine, left: Leftovers) -> None:
    """Remove it all; what is gone meanwhile is fine.

    Raises TemporaryError, or PermanentError for what the engine does not let go.
    """
    for name in left.containers:
        engine.delete(f"/containers/{name}", force=1, v=1)
    for name in left.networks:
        engine.delete(f"/networks/{name}")
    for name in left.volumes:
        engine.delete(f"/volumes/{name}")


def _volumes(engine: Engine, ours: labels.Filters) -> Iterator[dict[str, Any]]:
    yield from engine.get("/volumes", filters=ours).get("Volumes") or []
