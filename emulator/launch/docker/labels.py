"""The labels that tell this emulator's containers, volumes and networks from all others; pure.

Whatever lacks ``INSTANCE`` with our own id is a stranger and is never touched.
"""

from collections.abc import Mapping

from emulator.names import LABEL_PREFIX

INSTANCE = LABEL_PREFIX + "instance"
"""Id of the state directory whose emulator made this."""
STATE = LABEL_PREFIX + "state"
"""That state directory, as its emulator called it."""
MACHINE = LABEL_PREFIX + "machine"
"""The host name of the machine, or container, that the emulator ran on."""
ROLE = LABEL_PREFIX + "role"
"""What it is for: one of the roles below."""
PAUSE = LABEL_PREFIX + "pause"
"""On a job: the container whose network namespace it joined."""
PORT = LABEL_PREFIX + "port"
"""On a job: the port that will be called."""
ADDRESS = LABEL_PREFIX + "address"
"""On a job that joined a pause: ``host:port`` to call it on."""
OWNER = LABEL_PREFIX + "owner"
"""On a volume: the name of the container that it belongs to."""
CLUSTER = LABEL_PREFIX + "cluster"
"""On what has a static address: the cluster it is a host of."""
HOSTS = LABEL_PREFIX + "hosts"
"""Beside ``CLUSTER``: ``algo-1=10.0.0.1,algo-2=10.0.0.2``, every host of the cluster."""

JOB = "job"
PAUSE_ROLE = "pause"
NETWORK_ROLE = "network"
OVERLAY_ROLE = "overlay"
OWNERSHIP_ROLE = "ownership"

Filters = dict[str, list[str]]


def of(instance: str, role: str) -> dict[str, str]:
    """Return the labels of something new."""
    return {INSTANCE: instance, ROLE: role}


def selecting(labels: Mapping[str, str]) -> Filters:
    """Return the engine's list filter for things that carry all these labels."""
    return {"label": [f"{key}={value}" for key, value in labels.items()]}


def pack(hosts: Mapping[str, str]) -> str:
    """Return a value for ``HOSTS``."""
    return ",".join(f"{name}={address}" for name, address in hosts.items())


def unpack(value: str) -> dict[str, str]:
    """Return the hosts that `pack` wrote; an empty value gives none."""
    return dict(pair.split("=", 1) for pair in value.split(",") if pair)
