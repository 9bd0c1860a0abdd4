"""The WSGI application of `serve`: /ping and /invocations around an AWS handler service.

A service that also has `execution_parameters()` has it answered to batch transform, which asks
before its first request; /execution-parameters of any other is not found, as SageMaker allows.

Amazon's images put the same handlers behind a Java server. The handlers only ever see that
server's *context* object, so a small one stands in for it here. Status codes and bodies are the
handler's own. One prediction at a time per worker: an MXNet Module may not be shared by threads.
"""

import importlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterable
from http.client import responses
from typing import Any

from emulator_toolkit import claim

MODEL_DIR = "/opt/ml/model"

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class RequestProperties:
    """What a handler asks of the server about one request: its headers."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = headers

    def get_request_properties(self) -> dict[str, str]:
        return self._headers


class Context:
    """One request as a handler sees it, and where it leaves status and content type."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.system_properties = {"model_dir": MODEL_DIR, "gpu_id": None}
        self.request_processor = [RequestProperties(headers)]
        self.status = 200
        self.content_type: str | None = None

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        self.status = code

    def set_response_content_type(self, idx: int, value: str) -> None:
        self.content_type = value


def headers_of(environ: dict[str, Any]) -> dict[str, str]:
    """Return the request's headers under their usual names."""
    headers = {
        name[5:].replace("_", "-").title(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    if environ.get("CONTENT_TYPE"):
        headers["Content-Type"] = environ["CONTENT_TYPE"]
    return headers


def body_of(response: Any) -> bytes:
    """Return what a handler answered as bytes; anything but text and bytes becomes JSON."""
    if isinstance(response, (bytes, bytearray, memoryview)):
        return bytes(response)
    if isinstance(response, str):
        return response.encode("utf-8")
    return json.dumps(response).encode("utf-8")


class Application:
    """The paths that SageMaker calls.

    Args:
        service: an initialized handler service: ``handle(data, context) -> [response]`` and, if it
            cares, ``execution_parameters() -> dict``.
    """

    def __init__(self, service: Any) -> None:
        self._service = service
        self._execution_parameters = getattr(service, "execution_parameters", None)
        self._one_at_a_time = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        route = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if route == ("GET", "/ping"):
            status, content_type, body = 200, "application/json", b'{"status": "Healthy!"}\n'
        elif route == ("POST", "/invocations"):
            status, content_type, body = self._invoke(environ)
        elif route == ("GET", "/execution-parameters") and self._execution_parameters:
            status, content_type = 200, "application/json"
            body = body_of(self._execution_parameters())
        else:
            status, content_type, body = 404, "text/plain; charset=utf-8", b"Not found\n"
        start_response(
            f"{status} {responses.get(status, 'Unknown')}",
            [("Content-Type", content_type), ("Content-Length", str(len(body)))],
        )
        return [body]

    def _invoke(self, environ: dict[str, Any]) -> tuple[int, str, bytes]:
        payload = environ["wsgi.input"].read()
        context = Context(headers_of(environ))
        with self._one_at_a_time:
            [response] = self._service.handle([{"body": payload}], context)
        body = body_of(response)
        if context.status >= 400:
            if why := claim.exhausted(body.decode("utf-8", "replace")):
                body += f"\n{why}".encode()
            print(body.decode("utf-8", "replace"), file=sys.stderr, flush=True)
        return context.status, context.content_type or "text/plain; charset=utf-8", body


def create() -> Application:
    """Load the model and return the application; what the model raises ends the worker."""
    module, _, name = os.environ["EMULATOR_HANDLER"].partition(":")
    service = getattr(importlib.import_module(module), name)()
    try:
        service.initialize(Context({}))
    except Exception as error:
        if why := claim.exhausted(f"{type(error).__name__}: {error}"):
            print(why, file=sys.stderr, flush=True)
        raise
    return Application(service)
