"""Mounts in the engine's words, and whose directories they are; pure.

The engine mounts directories of its own machine. Where the emulator is itself a container, what it
calls ``/state/jobs`` is another directory there: the source of the mount that it has at ``/state``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Mounted:
    """What a container has mounted.

    Attributes:
        target: a directory in the container.
        source: the same on the engine's machine; None for memory (tmpfs), which no other sees.
    """

    target: Path
    source: Path | None


def bind(source: Path, target: str, *, read_only: bool) -> dict[str, Any]:
    """Return the engine's words for a bind mount; a missing source is the engine's error.

    Args:
        source: a directory as the engine's machine calls it.
    """
    return {"Type": "bind", "Source": str(source), "Target": target, "ReadOnly": read_only}


def mounted(inspected: Mapping[str, Any]) -> list[Mounted]:
    """Return the mounts of a container as the engine describes it; volumes are directories too."""
    return [
        Mounted(Path(mount["Destination"]), Path(mount["Source"]) if mount.get("Source") else None)
        for mount in inspected.get("Mounts") or []
    ]


def outside(path: Path, mounts: Iterable[Mounted]) -> Path | None:
    """Return what the engine's machine calls a container's path; None if it has no such path.

    The innermost mount counts, as it does in the container.
    """
    around = [mount for mount in mounts if path.is_relative_to(mount.target)]
    if not around:
        return None
    innermost = max(around, key=lambda mount: len(mount.target.parts))
    if innermost.source is None:
        return None
    return innermost.source / path.relative_to(innermost.target)
