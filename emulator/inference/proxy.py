"""The data path of InvokeEndpoint: from the client's request to a container and back.

An invocation reads the routing table and nothing else: no store, and no lock that a control call
holds. Bodies pass unparsed. The route, the variant and the target are chosen by
`emulator.inference.routing`; errors are raised, and the front of the protocol words them.
"""

import itertools
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emulator import clock, names
from emulator.call import Scope
from emulator.errors import OperationNotEmulated, UnknownOperationException
from emulator.inference import constraints, failures, routing
from emulator.inference.pool import Pool
from emulator.inference.wire import NoReply, Reply, ReplyTooLarge, TooSlow
from emulator.routing import Route, RoutingTable, Target, Variant

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

RETURN_SECONDS = 10.0
"""Seconds that an invocation waits for an endpoint that comes back after a restart."""
# Read and thrown away before refusing a body, so that the client reads the refusal and not a reset.
_DISCARD_LIMIT = 64 * 1024 * 1024
_PIECE = 1024 * 1024

_ATTRIBUTES = "HTTP_X_AMZN_SAGEMAKER_CUSTOM_ATTRIBUTES"
_OPERATIONS = {
    "invocations": "InvokeEndpoint",
    "async-invocations": "InvokeEndpointAsync",
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
    "invocations-bidirectional-stream": "InvokeEndpointWithBidirectionalStream",
}
# What a header may not hold; a container's is passed on with blanks in their place (RFC 9110, 5.5).
_CONTROLS = {code: " " for code in (*range(32), 127) if code != 9}
# AWS strips every other header of the request and of the reply (contract C2).
_FORWARDED = (
    ("CONTENT_TYPE", "Content-Type"),
    ("HTTP_ACCEPT", "Accept"),
    (_ATTRIBUTES, "X-Amzn-SageMaker-Custom-Attributes"),
    ("HTTP_X_AMZN_SAGEMAKER_INFERENCE_ID", "X-Amzn-SageMaker-Inference-Id"),
    ("HTTP_X_AMZN_SAGEMAKER_SESSION_ID", "X-Amzn-SageMaker-Session-Id"),
)
_RETURNED = (
    ("content-type", "Content-Type"),
    ("x-amzn-sagemaker-custom-attributes", "X-Amzn-SageMaker-Custom-Attributes"),
    ("x-amzn-sagemaker-new-session-id", "X-Amzn-SageMaker-New-Session-Id"),
    ("x-amzn-sagemaker-closed-session-id", "X-Amzn-SageMaker-Closed-Session-Id"),
)
_CHECKED = (
    (_ATTRIBUTES, "CustomAttributes", constraints.check_text),
    ("HTTP_X_AMZN_SAGEMAKER_INFERENCE_ID", "InferenceId", constraints.check),
    ("HTTP_X_AMZN_SAGEMAKER_SESSION_ID", "SessionId", constraints.check),
    ("HTTP_X_AMZN_SAGEMAKER_TARGET_VARIANT", "TargetVariant", constraints.check),
    ("HTTP_X_AMZN_SAGEMAKER_TARGET_MODEL", "TargetModel", constraints.check),
    (
        "HTTP_X_AMZN_SAGEMAKER_TARGET_CONTAINER_HOSTNAME",
        "TargetContainerHostname",
        constraints.check,
    ),
    ("HTTP_X_AMZN_SAGEMAKER_ENABLE_EXPLANATIONS", "EnableExplanations", constraints.check),
    ("HTTP_X_AMZN_SAGEMAKER_INFERENCE_COMPONENT", "InferenceComponentName", constraints.check),
)
_MODEL = "HTTP_X_AMZN_SAGEMAKER_TARGET_MODEL"
_HOSTNAME = "HTTP_X_AMZN_SAGEMAKER_TARGET_CONTAINER_HOSTNAME"
_COMPONENT = "HTTP_X_AMZN_SAGEMAKER_INFERENCE_COMPONENT"
_VARIANT = "HTTP_X_AMZN_SAGEMAKER_TARGET_VARIANT"


@dataclass(frozen=True)
class Limits:
    """What an invocation may take (contract A7, C2): bytes of the bodies, seconds in all."""

    request_bytes: int = 6_291_456
    reply_bytes: int = 26_214_400
    seconds: float = 60.0


class Invocations:
    """Answers the requests of sagemaker-runtime.

    Args:
        table: the current routes; only read.
        draw: gives random numbers from 0 up to 1, for the share of each variant.
    """

    def __init__(
        self,
        table: RoutingTable,
        limits: Limits | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._table = table
        self._limits = limits or Limits()
        self._draw = draw
        self._turns = itertools.count()
        self._pool = Pool()

    def close(self) -> None:
        """Close the idle connections to containers."""
        self._pool.close()

    def handle(
        self,
        scope: Scope,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        request_id: str | None = None,
    ) -> Iterable[bytes]:
        """Answer one WSGI request below ``/endpoints/``.

        Before `start_response` is called, raises RuntimeServiceError with SageMaker's sentence,
        OperationNotEmulated for the operations that are not there yet, or
        UnknownOperationException for any other path or method.
        """
        endpoint = _endpoint(environ)
        request_id = request_id or names.request_id()
        route = self._table.find(scope, endpoint) or self._table.await_expected(
            scope, endpoint, RETURN_SECONDS
        )
        if route is None:
            constraints.check("EndpointName", endpoint)
            raise failures.endpoint_not_found(scope, endpoint)
        _check_headers(environ, endpoint)
        body = self._read_body(environ)
        variant, reply = self._invoke(route, environ, body, request_id)
        headers = [
            ("x-amzn-RequestId", request_id),
            ("x-Amzn-Invoked-Production-Variant", variant.name),
            ("Content-Length", str(sum(map(len, reply.body)))),
        ]
        for name, returned in _RETURNED:
            value = reply.headers.get(name)
            if value is not None:
                headers.append((returned, value.translate(_CONTROLS)))
        start_response("200 OK", headers)
        return reply.body

    def _invoke(
        self, route: Route, environ: Mapping[str, Any], body: bytes, request_id: str
    ) -> tuple[Variant, Reply]:
        """Send the body to a container of the route and return what a 2xx reply held."""
        variant, target = self._enter(route, environ.get(_VARIANT, ""), request_id)
        try:
            reply = self._exchange(route, target, _head(environ, target, len(body)), body)
        finally:
            target.leave()
        if not 200 <= reply.status < 300:
            raise failures.refused_by_container(
                route.scope, route.endpoint, target.container, reply.status, b"".join(reply.body)
            )
        return variant, reply

    def _enter(self, route: Route, wanted: str, request_id: str) -> tuple[Variant, Target]:
        """Choose a target and count the invocation in; the caller counts it out."""
        while True:
            if wanted:
                variant = routing.named_variant(route, wanted)
                if variant is None:
                    raise failures.variant_not_found(wanted, request_id)
            else:
                variant = routing.choose_variant(route, self._draw())
            target = variant and routing.choose_target(variant.targets, next(self._turns))
            if variant and target and target.enter():
                return variant, target
            # A target closes only after a new route without it stands, so look again.
            fresh = self._table.find(route.scope, route.endpoint)
            if fresh is None:
                raise failures.endpoint_not_found(route.scope, route.endpoint)
            if target is None and fresh is route:
                raise failures.no_response(route.scope, route.endpoint, "primary")
            route = fresh

    def _exchange(self, route: Route, target: Target, head: bytes, body: bytes) -> Reply:
        """Return the container's reply, whatever its status; raises ModelError if none came."""
        scope, endpoint, container = route.scope, route.endpoint, target.container
        try:
            return self._pool.exchange(
                target,
                head,
                body,
                deadline=clock.monotonic() + self._limits.seconds,
                limit=self._limits.reply_bytes,
            )
        except TooSlow:
            log.warning("endpoint/%s %s took too long", endpoint, target.instance_id)
            raise failures.timed_out(scope, endpoint, container) from None
        except (NoReply, ReplyTooLarge, OSError) as error:
            log.warning("endpoint/%s %s gave no reply: %s", endpoint, target.instance_id, error)
            status = getattr(error, "status", 0)
            if status:
                raise failures.unreadable_reply(scope, endpoint, container, status) from None
            raise failures.no_response(scope, endpoint, container) from None

    def _read_body(self, environ: "WSGIEnvironment") -> bytes:
        """Return the whole request body; raises PayloadTooLarge."""
        limit = self._limits.request_bytes
        source = environ["wsgi.input"]
        length = environ.get("CONTENT_LENGTH")
        if length and int(length) <= limit:
            body = bytes(source.read())
            if len(body) < int(length):
                # The client went away; the container must not see half a body.
                raise failures.body_incomplete()
            return body
        body = b"" if length else bytes(source.read(limit + 1))
        if length or len(body) > limit:
            _discard(source)
            raise failures.body_too_large(limit)
        return body


def _endpoint(environ: Mapping[str, Any]) -> str:
    """Return the endpoint's name from the path of an InvokeEndpoint request."""
    parts = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace").split("/")
    known = len(parts) == 4 and parts[1] == "endpoints" and environ["REQUEST_METHOD"] == "POST"
    operation = _OPERATIONS.get(parts[3]) if known else None
    if operation is None:
        raise UnknownOperationException("Unknown operation")
    if operation != "InvokeEndpoint":
        raise OperationNotEmulated(f"{operation} is not emulated.")
    return str(parts[2])


def _check_headers(environ: Mapping[str, Any], endpoint: str) -> None:
    """Raise ValidationError for a header that breaks a constraint or does not fit the endpoint."""
    if environ.get(_ATTRIBUTES) == "":
        # The server shows a value with other bytes than ASCII as an empty one. The few clients that
        # send an empty one on purpose are refused with those, lest attributes get lost in silence.
        raise constraints.not_ascii("CustomAttributes")
    constraints.check_text("ContentType", environ.get("CONTENT_TYPE", ""))
    constraints.check_text("Accept", environ.get("HTTP_ACCEPT", ""))
    for key, member, check in _CHECKED:
        value = environ.get(key)
        if value is not None:
            check(member, value)
    if _MODEL in environ:
        raise failures.target_model_unsupported(endpoint)
    if _HOSTNAME in environ:
        raise failures.target_container_unsupported(endpoint)
    if _COMPONENT in environ:
        raise failures.inference_component_unsupported(endpoint)


def _head(environ: Mapping[str, Any], target: Target, length: int) -> bytes:
    """Return the request line and headers for the container."""
    lines = [
        "POST /invocations HTTP/1.1",
        f"Host: {target.host}:{target.port}",
        f"Content-Length: {length}",
    ]
    for key, name in _FORWARDED:
        value = environ.get(key)
        if value:
            lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _discard(source: Any) -> None:
    seen = 0
    while seen < _DISCARD_LIMIT:
        piece = source.read(_PIECE)
        if not piece:
            return
        seen += len(piece)
