"""Where container engines listen on this machine, in the order in which they are asked; pure.

scripts/engine.py has the same list: it runs before anything is installed.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path


def engine_sockets(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield the usual sockets; whether anything is there is for the caller to see."""
    home = Path(environment.get("HOME") or "/")
    yield Path("/var/run/docker.sock")
    yield home / ".docker/run/docker.sock"
    yield home / ".docker/desktop/docker.sock"
    runtime = environment.get("XDG_RUNTIME_DIR")
    if runtime:
        yield Path(runtime) / "docker.sock"
    yield home / ".colima/default/docker.sock"
    yield home / ".colima/docker.sock"
    yield home / ".rd/docker.sock"
    if runtime:
        yield Path(runtime) / "podman/podman.sock"
    yield Path("/run/podman/podman.sock")
