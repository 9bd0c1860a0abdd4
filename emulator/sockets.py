"""Where container engines listen on this machine, in the order in which they are asked.

And who may speak to one. scripts/engine.py has the same list: it runs before anything is installed.
"""

import grp
import os
import pwd
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


def is_socket(path: Path) -> bool:
    """Tell whether a socket is there; what this user may not look into has none for them.

    A shell that `su` opened keeps XDG_RUNTIME_DIR, a directory of another user.
    """
    try:
        return path.is_socket()
    except OSError:
        return False


def closed_socket(environment: Mapping[str, str]) -> Path | None:
    """Return the first engine's socket that is there and that this user may not use, or None."""
    scheme, _, path = environment.get("DOCKER_HOST", "").partition("://")
    if scheme:
        candidates = [Path(path)] if scheme == "unix" else []
    else:
        candidates = list(engine_sockets(environment))
    for candidate in filter(is_socket, candidates):
        if not os.access(candidate, os.R_OK | os.W_OK):
            return candidate
    return None


def way_in(socket_file: Path) -> str:
    """Return what lets this user speak to the engine behind a socket that is closed to them."""
    status = socket_file.stat()
    user, group = _user(os.getuid()), _group(status.st_gid)
    if status.st_gid == 0 or status.st_mode & 0o060 != 0o060:
        return (
            f"use it as {_user(status.st_uid)}, whose alone it is, or have it give a group access"
        )
    if status.st_gid in os.getgrouplist(user, os.getgid()):
        return f"log in again: this session began before {user} was in the group {group}"
    return f"sudo usermod --append --groups {group} {user}, then log in again"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
