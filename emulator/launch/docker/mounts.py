"""Mounts in the engine's words; pure."""

from typing import Any

from emulator.launch.driver import Mount


def bind(mount: Mount, *, read_only: bool) -> dict[str, Any]:
    """Return the engine's words for a bind mount; a missing source is the engine's error."""
    return {
        "Type": "bind",
        "Source": str(mount.source),
        "Target": mount.target,
        "ReadOnly": read_only,
    }
