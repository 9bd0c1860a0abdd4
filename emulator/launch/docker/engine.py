"""The connection to a container engine; the only module here that imports the docker SDK.

The SDK finds the engine, speaks its transports (unix socket, TCP, TLS, ssh) and negotiates the API
version; requests and answers are the Engine API's own JSON. Whatever goes wrong leaves here as a
TemporaryError or a PermanentError. Connecting is lazy: making an `Engine` costs nothing.
"""

import contextlib
import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.errors import PermanentError, TemporaryError
from emulator.sockets import engine_sockets, is_socket

if TYPE_CHECKING:
    from docker import APIClient
    from requests import Response

log = logging.getLogger(__name__)

_CALL_SECONDS = 120.0
_POOLED_CONNECTIONS = 64
_REMOVAL_SECONDS = 30.0


class EngineDown(TemporaryError):
    """The engine does not answer."""

    def __init__(self, reason: object) -> None:
        super().__init__(
            f"The container engine does not answer ({reason}). Run `sagemaker-emulator doctor`.",
            delay=2.0,
        )


class Failed(TemporaryError):
    """The engine met an error of its own (5xx). `reason` is its sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The container engine failed: {reason}")
        self.reason = reason


class Refused(PermanentError):
    """The engine refuses the request (4xx). `reason` is its sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The container engine refused: {reason}")
        self.reason = reason


class Absent(Refused):
    """There is no such thing (404)."""


class Conflict(Refused):
    """The thing's state or name forbids it (409)."""


class Engine:
    """Requests to one engine, from any thread.

    Args:
        client: a docker SDK client to use instead of connecting.
        loaded: returns once `load` was called, where one thread owns the imports.
        marks: labels of everything that is made by way of this connection, beside its own.
    """

    def __init__(
        self,
        client: "APIClient | None" = None,
        *,
        loaded: Callable[[], None] = lambda: None,
        marks: Mapping[str, str] | None = None,
    ) -> None:
        self._client = client
        self._loaded = loaded
        self._marks = dict(marks or {})
        self._connecting = threading.Lock()
        self._streams: set[Stream] = set()
        self._closed = False

    def get(self, path: str, *, timeout: float = _CALL_SECONDS, **params: Any) -> Any:
        return self._request("GET", path, params, timeout=timeout)

    def post(
        self, path: str, body: Any = None, *, timeout: float = _CALL_SECONDS, **params: Any
    ) -> Any:
        """Raises TimedOut, an EngineDown, when no answer came within `timeout` seconds."""
        if body and "Labels" in body:
            body = {**body, "Labels": {**self._marks, **body["Labels"]}}
        return self._request("POST", path, params, body, timeout)

    def delete(self, path: str, **params: Any) -> None:
        """Delete; absent is fine, and so is a removal already under way: it is waited for."""
        with contextlib.suppress(Absent):
            try:
                self._request("DELETE", path, params)
            except Conflict as conflict:
                if "already in progress" not in conflict.reason:
                    raise
                self.post(f"{path}/wait", timeout=_REMOVAL_SECONDS, condition="removed")

    def run(self, container: str, command: list[str]) -> bytes:
        """Run a command in a running container; returns what it wrote."""
        asked = {"Cmd": command, "AttachStdout": True, "AttachStderr": True, "Tty": True}
        made = self.post(f"/containers/{container}/exec", asked)
        begin = {"Detach": False, "Tty": True}
        return self._send("POST", f"/exec/{made['Id']}/start", {}, begin, _CALL_SECONDS).content

    def lines(self, path: str, **params: Any) -> list[Any]:
        """Return what GET answers with one JSON value on each line, such as past events."""
        content = self._send("GET", path, params, None, _CALL_SECONDS).content
        return [json.loads(line) for line in content.splitlines() if line.strip()]

    def find(self, path: str, **params: Any) -> Any | None:
        """Return what GET answers, or None if there is no such thing."""
        try:
            return self.get(path, **params)
        except Absent:
            return None

    def stream(self, path: str, **params: Any) -> "Stream":
        """Open an endless answer; the caller closes it."""
        response = self._send("GET", path, params, None, None)
        stream = Stream(self, response)
        self._streams.add(stream)
        if self._closed:
            stream.close()
        return stream

    def close(self) -> None:
        """End all streams, also those that other threads are reading, and the connections."""
        self._closed = True
        for stream in list(self._streams):
            stream.close()
        if self._client is not None:
            self._client.close()

    @property
    def closed(self) -> bool:
        return self._closed

    def forget(self, stream: "Stream") -> None:
        self._streams.discard(stream)

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any],
        body: Any = None,
        timeout: float = _CALL_SECONDS,
    ) -> Any:
        response = self._send(method, path, params, body, timeout)
        return response.json() if response.content else None

    def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any],
        body: Any,
        timeout: float | None,
    ) -> "Response":
        self._loaded()
        import requests
        import urllib3

        client = self._connected()
        query = {
            key: json.dumps(value) if isinstance(value, dict) else value
            for key, value in params.items()
        }
        try:
            response = client.request(
                method,
                f"{client.base_url}/v{client.api_version}{path}",
                params=query,
                json=body,
                timeout=timeout,
                stream=timeout is None,
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise EngineDown(error) from error
        _check(response)
        return response

    def _connected(self) -> "APIClient":
        with self._connecting:
            if self._client is None:
                self._client = connect()
            return self._client


class Stream:
    """An answer of the engine that goes on until something ends it."""

    def __init__(self, engine: Engine, response: "Response") -> None:
        self._engine = engine
        self._response = response
        self.broken = False
        """The stream ended other than by the engine's saying so."""

    def chunks(self) -> Iterator[bytes]:
        """Yield bytes as they arrive, until the end or a break; never raises for a break."""
        import urllib3

        try:
            yield from self._response.raw.stream(65536)
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
            # Closing from another thread surfaces as any of the last three.
            log.debug("a stream of the engine broke: %s", error)
            self.broken = True

    def close(self) -> None:
        """End the stream, also while another thread reads it."""
        from docker.types import CancellableStream

        self._engine.forget(self)
        cancellable: CancellableStream[bytes] = CancellableStream(iter(()), self._response)
        with contextlib.suppress(OSError, AttributeError):  # it may have ended meanwhile
            cancellable.close()
        self._response.close()


def load() -> None:
    """Import all that connections need, so that no later call does."""
    import docker.api
    import docker.transport  # noqa: F401 - and requests and urllib3 with it
    import requests.packages  # noqa: F401


def connect() -> "APIClient":
    """Connect to the engine that DOCKER_HOST names, else to the first local one that answers.

    Raises EngineDown; an explicit DOCKER_HOST that does not answer is never replaced.
    """
    # Importing the SDK takes a quarter of a second that start-up does not have; see `load`.
    from docker import APIClient
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    if os.environ.get("DOCKER_HOST"):
        candidates: list[dict[str, Any]] = [{**kwargs_from_env()}]
    else:
        paths = engine_sockets(os.environ)
        candidates = [{"base_url": f"unix://{path}"} for path in paths if is_socket(path)]
    reason: object = "no engine's socket found"
    for candidate in candidates:
        try:
            _knock(str(candidate.get("base_url", "")))
            return APIClient(max_pool_size=_POOLED_CONNECTIONS, **candidate)
        except (DockerException, OSError) as error:
            reason = error
    raise EngineDown(reason)


def engine_socket() -> Path:
    """Return the unix socket of the engine that `connect` connects to.

    Raises PermanentError if the engine has none here: it is on another machine.
    """
    if url := os.environ.get("DOCKER_HOST"):
        scheme, _, path = url.partition("://")
        if scheme != "unix":
            raise PermanentError(
                f"The container engine at {url} has no socket on this machine, so that no"
                " container can be given it. Set notebook_engine_access to 0."
            )
        return Path(path)
    for socket_file in engine_sockets(os.environ):
        with contextlib.suppress(OSError):
            _knock(f"unix://{socket_file}")
            return socket_file
    raise EngineDown("no engine's socket found")


def _knock(url: str) -> None:
    """Raise OSError if nobody listens on a unix socket; the SDK would leave its own one open."""
    scheme, _, path = url.partition("://")
    if scheme.endswith("unix"):
        with socket.socket(socket.AF_UNIX) as door:
            door.connect(path)


def _check(response: "Response") -> None:
    if response.status_code < 400:
        return
    try:
        reason = str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        reason = f"HTTP {response.status_code}"
    response.close()
    if response.status_code >= 500:
        raise Failed(reason)
    raise {404: Absent, 409: Conflict}.get(response.status_code, Refused)(reason)
