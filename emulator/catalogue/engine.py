"""The way to the container engine for what makes and names images; starts no container."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException
from requests import RequestException

from emulator.errors import PermanentError
from emulator.sockets import closed_socket, engine_sockets, is_socket, way_in

_API_TIMEOUT_SECONDS = 900


@contextmanager
def engine() -> Iterator[Any]:
    """Give a client of the engine that DOCKER_HOST names, else of the first one that answers.

    Raises:
        PermanentError: no engine answers, and says what to do; or it refused a request.
    """
    client = _connect()
    try:
        yield client
    except (DockerException, RequestException) as problem:
        raise PermanentError(f"The container engine failed: {problem}") from problem
    finally:
        client.close()


def _connect() -> Any:
    explicit = os.environ.get("DOCKER_HOST")
    hosts = [explicit] if explicit else [f"unix://{path}" for path in engine_sockets(os.environ)]
    reason: object = "no socket"
    for host in hosts:
        path = host.removeprefix("unix://")
        if path != host and not is_socket(Path(path)):
            continue
        try:
            return docker.from_env(
                timeout=_API_TIMEOUT_SECONDS, environment={**os.environ, "DOCKER_HOST": host}
            )
        except (DockerException, OSError) as problem:
            reason = problem
    if closed := closed_socket(os.environ):
        raise PermanentError(f"{closed} is closed to this user. To mend it: {way_in(closed)}.")
    where = f" at DOCKER_HOST={explicit}" if explicit else ""
    raise PermanentError(
        f"No container engine answers{where} ({reason}). Run `sagemaker-emulator doctor`."
    )
