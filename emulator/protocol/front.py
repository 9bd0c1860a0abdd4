"""The request path: every request goes through the stages below until one of them answers.

Plain WSGI: a framework in front of each control call would cost more than the call itself, so Flask
serves the emulator's own pages alone. No stage knows a resource or looks at the Host header.
"""

import logging
import sys
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from emulator import names
from emulator.errors import ServiceError, UnknownOperationException
from emulator.protocol import control, planes
from emulator.protocol.parts import Parts
from emulator.protocol.request import RUNTIME, SAGEMAKER, Request
from emulator.protocol.serialize import Reply, failure, failure_as_xml
from emulator.services import SERVICES, Errors

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

# Whose clients read errors as XML; those of other services that are not emulated read JSON.
_XML_SERVICES = frozenset(
    {name for name, row in SERVICES.items() if row.errors is Errors.XML} | {"cloudfront", "route53"}
)
_WELCOME = b"""This is the local emulator of Amazon SageMaker. Point a client at it:

    export AWS_ENDPOINT_URL=<this address>

Health: /_emulator/health
What is emulated: docs/compatibility.md
"""


class ServiceNotEmulated(ServiceError):
    """The request is for a service of AWS that the emulator does not have."""

    status = 501


def own_pages(
    parts: Parts, request: Request, start_response: "StartResponse"
) -> Iterable[bytes] | None:
    """Answer ``/_emulator/...``, and what clients of moto send to its own ``/moto-api/...``."""
    motos = request.path.startswith("/moto-api/") and request.signer is None
    if motos or request.path.startswith("/_emulator/"):
        return parts.pages(request.environ, start_response)
    return None


def invocation(
    parts: Parts, request: Request, start_response: "StartResponse"
) -> Iterable[bytes] | None:
    """Answer the runtime plane; what is invoked reads the body and checks the request itself."""
    if request.service != RUNTIME:
        return None
    if request.method != "POST" or not planes.is_invocation(request.path):
        raise planes.refusal(request.method, request.path)
    return parts.runtime(request.scope, request.environ, start_response, request.request_id)


def control_call(
    parts: Parts, request: Request, start_response: "StartResponse"
) -> Iterable[bytes] | None:
    """Answer SageMaker's control plane, and the metrics service beside it."""
    if request.service != SAGEMAKER:
        return None
    if (request.method, request.path) != ("POST", "/"):
        if request.target:
            raise UnknownOperationException(
                f"{request.target} is called by POST /, not by {request.method} {request.path}."
            )
        if planes.of_metrics(request.method, request.path) is None:
            # The feature store and other small services sign as SageMaker does.
            raise planes.refusal(request.method, request.path)
    return send(control.answer(parts, request), start_response)


def welcome(
    parts: Parts, request: Request, start_response: "StartResponse"
) -> Iterable[bytes] | None:
    """Tell a person with a browser what this is."""
    if request.path != "/" or request.method not in ("GET", "HEAD") or request.signer is not None:
        return None
    text = _WELCOME if request.method == "GET" else b""
    return send(Reply(200, [("Content-Type", "text/plain; charset=utf-8")], text), start_response)


def storage(
    parts: Parts, request: Request, start_response: "StartResponse"
) -> Iterable[bytes] | None:
    """Answer S3 and the other services that moto emulates in this process."""
    if request.service not in SERVICES:
        return None
    return parts.storage(request.service, request.scope, request.environ, start_response)


def refusal(parts: Parts, request: Request, start_response: "StartResponse") -> Iterable[bytes]:
    """Refuse every other service at once, with a status that no SDK retries."""
    if request.service.startswith(SAGEMAKER):
        raise planes.refusal(request.method, request.path)
    emulated = ", ".join(("sagemaker", *sorted(SERVICES)))
    raise ServiceNotEmulated(
        f"The service {request.service!r} is not emulated. Set AWS_ENDPOINT_URL_<SERVICE> to "
        f"send its calls elsewhere. Emulated: {emulated}."
    )


Stage = Callable[[Parts, Request, "StartResponse"], Iterable[bytes] | None]

STAGES: tuple[Stage, ...] = (own_pages, invocation, control_call, welcome, storage, refusal)


def create_app(parts: Parts) -> "WSGIApplication":
    """Return the WSGI application that serves the whole emulator; it never raises."""

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ, names.request_id(), parts.account_of, parts.default_scope)
        try:
            _notice(parts, request)
            answers = (stage(parts, request, start_response) for stage in STAGES)
            return next(answer for answer in answers if answer is not None)
        except ServiceError as error:
            log.info("%s %s %s %d", request.method, request.path, error.code, error.status)
            return send(_refused(error, request), start_response)
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return send(_refused(control.internal_failure(request), request), start_response)

    return app


def send(reply: Reply, start_response: "StartResponse") -> list[bytes]:
    """Start a WSGI response and return its body."""
    line = f"{reply.status} {HTTPStatus(reply.status).phrase}"
    failed = sys.exc_info()
    # With exc_info, a response that was begun but not sent may be replaced.
    start_response(line, reply.headers, failed if failed[0] is not None else None)
    return [reply.body]


def _notice(parts: Parts, request: Request) -> None:
    """Tell the region, unless the service has one for all regions."""
    service = SERVICES.get(request.service)
    if request.signer is not None and (service is None or service.regional):
        parts.notice(request.signer.region)


def _refused(error: ServiceError, request: Request) -> Reply:
    """Return the error in the form that clients of the request's service can read."""
    ours = request.service.startswith(SAGEMAKER)
    if (request.is_form and not ours) or request.service in _XML_SERVICES:
        return failure_as_xml(error, request.request_id)
    return failure(error, request.request_id, rest=ours and request.path != "/")
