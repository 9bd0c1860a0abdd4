"""Containers in the engine's words: the request, the observed state, the refusal; pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from emulator.errors import EmulatorError, PermanentError
from emulator.launch.driver import ContainerSpec, ImageMissing, Observed

from . import labels
from .engine import Absent, Failed, Refused
from .namespaces import Namespace, Place, reachable
from .output import timestamp

_NEVER_STARTS = (
    "executable file not found",
    "no such file or directory",
    "permission denied",
    "exec format error",
    "argument list too long",
    "not a directory",
    "file name too long",
    "because it is inside /proc",
    "inside container: open /dev/",  # a directory is mounted over a device
)
# Paths with the id of a container or layer in them, and those of volumes.
_ENGINES_OWN = re.compile(r"/[^\s\"':,;=]*/(?:[0-9a-f]{64}|volumes)\b[^\s\"':,;=]*")
_INITS = ("docker-init", "container-init", "catatonit")
"""What Docker calls its init, and Podman, where it is not installed."""


def request(
    spec: ContainerSpec,
    own: Mapping[str, str],
    place: Place,
    namespace: Namespace | None,
    mounts: Sequence[dict[str, Any]],
    *,
    own_hostname: bool = False,
    init: bool = True,
    shm_bytes: int = 0,
) -> dict[str, Any]:
    """Return the body that creates the container, in the namespace if one is given.

    Args:
        own_hostname: the engine doesn't give it the namespace's host name, and takes one (Podman).
        init: run it below the engine's init, as AWS does. A program that is PID 1 itself never
            hears a signal that it has no handler for, be it SIGTERM or its own SIGSEGV.
        shm_bytes: the limit of /dev/shm; 0 for the engine's own.
    """
    body: dict[str, Any] = {"HostConfig": {}} if namespace else place.container()
    marks = {**spec.labels, **own}
    if spec.port is not None:
        marks[labels.PORT] = str(spec.port)
    if namespace:
        marks[labels.PAUSE] = namespace.pause
        if spec.port is not None:
            marks[labels.ADDRESS] = f"{namespace.host}:{namespace.port or spec.port}"
        body["HostConfig"]["NetworkMode"] = f"container:{namespace.pause}"
        if own_hostname:
            body["Hostname"] = place.hostname
    else:
        marks |= place.labels
    body |= {
        "Image": spec.image,
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "Labels": marks,
    }
    if spec.command is not None:
        body["Cmd"] = list(spec.command)
    if spec.entrypoint is not None:
        body["Entrypoint"] = list(spec.entrypoint)
    body["HostConfig"] |= {
        "Mounts": list(mounts),
        "LogConfig": {"Type": "json-file", "Config": {}},
        "SecurityOpt": [] if spec.may_become_root else ["no-new-privileges"],
        "Init": init,
        "ShmSize": shm_bytes,
    }
    if spec.memory_bytes is not None:
        # Equal limits mean no swap: a job that outgrows its memory ends instead of crawling.
        body["HostConfig"] |= {"Memory": spec.memory_bytes, "MemorySwap": spec.memory_bytes}
    if spec.gpus:
        body["HostConfig"]["DeviceRequests"] = [{"Count": -1, "Capabilities": [["gpu"]]}]
    return body


def observed(found: Mapping[str, Any]) -> Observed:
    """Return the state of a container as the engine's inspection describes it."""
    state = found["State"]
    running = bool(state["Running"])
    started = timestamp(state["StartedAt"]) / 1e9
    exited = not running and state["Status"] != "created"
    # The engine notes the start late: something very short may have ended before it.
    finished = max(started, timestamp(state["FinishedAt"]) / 1e9) if exited else 0.0
    return Observed(
        handle=found["Id"],
        name=found["Name"].removeprefix("/"),
        running=running,
        exit_code=int(state["ExitCode"]) if exited else None,
        out_of_memory=bool(state["OOMKilled"]),
        started_at=started,
        finished_at=finished,
        address=_address(found),
        image_id=found["Image"],
        labels=dict(found["Config"]["Labels"] or {}),
    )


def _address(found: Mapping[str, Any]) -> tuple[str, int] | None:
    marks = found["Config"]["Labels"] or {}
    if labels.PORT not in marks:
        return None
    if known := marks.get(labels.ADDRESS):
        host, _, port = known.rpartition(":")
        return host, int(port)
    inner = int(marks[labels.PORT])
    host, published = reachable(found, inner)
    return (host, published or inner) if host else None


def is_podman(version: Mapping[str, Any]) -> bool:
    """Say whether the engine that describes its version so is Podman."""
    components = version.get("Components") or []
    return any(str(part.get("Name")).startswith("Podman") for part in components)


def names_init(reason: str) -> bool:
    """Say whether a start has failed for want of the engine's init."""
    return any(name in reason for name in _INITS)


def refusal(
    spec: ContainerSpec, error: Refused | Failed, outside: Callable[[Path], Path] = Path
) -> EmulatorError:
    """Return what a failed start means: whether another try is worth it, and why it failed.

    Clients read the reason, so no path of this machine is in it: a mount has its path in the
    container, and the engine's own directories have none.

    Args:
        outside: what the engine's machine calls a path of this process.
    """
    missing = isinstance(error, Absent) and "image" in error.reason.lower()
    if missing:
        return ImageMissing(spec.image)
    reason = _seen_from_inside(spec, error.reason, outside)
    if isinstance(error, Refused) or any(text in reason for text in _NEVER_STARTS):
        return PermanentError(f"The container of {spec.image} cannot start: {reason}")
    return Failed(reason)


def _seen_from_inside(spec: ContainerSpec, reason: str, outside: Callable[[Path], Path]) -> str:
    places = {
        str(path): mount.target
        for mount in spec.mounts
        for path in (mount.source, outside(mount.source))
    }
    for path in sorted(places, key=len, reverse=True):
        reason = reason.replace(path, places[path])
    return _ENGINES_OWN.sub("(a directory of the engine)", reason)
