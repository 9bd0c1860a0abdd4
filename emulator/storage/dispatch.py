"""Which part of moto answers for which service, without moto's own dispatcher.

moto's looks its modules up on disk with every request; here a service's handlers are found once.
Everything but S3's objects lives in memory and starts empty with every process.
"""

import importlib
import logging
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from functools import cache
from typing import Any
from wsgiref.types import StartResponse

import orjson
from werkzeug.exceptions import HTTPException

from emulator.call import Scope
from emulator.errors import TemporaryError
from emulator.services import SERVICES, Errors, Service
from emulator.storage import ecr, functions, identity, logs
from emulator.storage.replies import Reply, send
from emulator.storage.requests import build, read_body

logger = logging.getLogger(__name__)

Handler = Callable[[Any, str, Any], Reply]


class Dispatch:
    """Answers every service of SERVICES.

    Args:
        changing: moto's backends are not safe for threads; this is entered while one works.
        after: called with service, scope and operation after each successful request.
        images: asks the engine for the images that have names on ECR.
    """

    def __init__(
        self,
        changing: Callable[[], AbstractContextManager[None]],
        after: Callable[[str, Scope, str], None],
        images: ecr.Images,
    ) -> None:
        self._changing = changing
        self._after = after
        self._images = images

    def __call__(
        self,
        service: str,
        scope: Scope,
        environ: Mapping[str, Any],
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        """Answer one request.

        Raises:
            KeyError: the service is not one of SERVICES.
        """
        row = SERVICES[service]
        request = build(
            scope,
            environ,
            host=row.host.format(region=scope.region),
            body=read_body(environ),
            extra={},
        )
        try:
            if service == "ecr" and _target(environ) in ecr.READS:
                # Before the lock is taken: the engine may take its time.
                request.local_images = tuple(self._images())
            reply = self._answer(row.package, request)
            if reply[0] < 300:
                self._after(service, scope, _target(environ))
        except TemporaryError as error:
            reply = _error(row, environ, 503, "ServiceUnavailable", str(error))
        except HTTPException as error:
            reply = error.code or 500, dict(error.get_headers()), error.get_body()
        except NotImplementedError as error:
            reply = _error(row, environ, 501, "NotImplemented", str(error))
        except Exception:
            logger.exception("%s failed", service)
            reply = _error(
                row, environ, 500, "InternalFailure", "We encountered an internal error."
            )
        return send(environ, start_response, reply)

    def _answer(self, package: str, request: Any) -> Reply:
        for pattern, handler in _handlers(package):
            if pattern.match(request.path):
                with self._changing():
                    return handler(request, request.raw_url, request.headers)
        return 404, {"Content-Type": "text/plain"}, b""


def load() -> None:
    """Find the handlers of every service, which imports its part of moto."""
    for service in SERVICES.values():
        _handlers(service.package)


@cache
def _handlers(package: str) -> list[tuple[re.Pattern[str], Handler]]:
    paths = importlib.import_module(f"moto.{package}.urls").url_paths
    own = {**identity.HANDLERS, **logs.HANDLERS, **ecr.HANDLERS, **functions.HANDLERS}.get(package)
    return [(re.compile(path.format("")), own or handler) for path, handler in paths.items()]


def _target(environ: Mapping[str, Any]) -> str:
    return str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]


def _error(row: Service, environ: Mapping[str, Any], status: int, code: str, message: str) -> Reply:
    request_id = str(uuid.uuid4())
    headers = {"x-amzn-RequestId": request_id}
    # CloudWatch speaks both: its clients changed to JSON.
    if row.errors is Errors.JSON and (_target(environ) or not row.target):
        headers["x-amzn-ErrorType"] = code
        body = orjson.dumps({"__type": code, "message": message})
        return status, {**headers, "Content-Type": "application/x-amz-json-1.1"}, body
    text = (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
        f"<Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return status, {**headers, "Content-Type": "text/xml"}, text.encode()
