"""One call to SageMaker's control plane, from its request to its reply; knows no resource."""

import logging
from dataclasses import dataclass
from functools import cache

from emulator import clock
from emulator.call import Handler
from emulator.errors import InternalFailure, OperationNotEmulated, ServiceError
from emulator.protocol import model, planes
from emulator.protocol.model import Service
from emulator.protocol.parse import document_of, operation_of
from emulator.protocol.parts import Parts
from emulator.protocol.request import Request
from emulator.protocol.serialize import Reply, failure, success
from emulator.protocol.validate import require_valid

log = logging.getLogger(__name__)


@dataclass
class _Line:
    """What the log says about one call."""

    operation: str
    resource: str = "-"
    refusal: str = ""


def answer(parts: Parts, request: Request) -> Reply:
    """Answer one call and log it; never raises."""
    started = clock.monotonic()
    line = _Line(request.target)
    try:
        reply = _carry_out(parts, request, line)
    except ServiceError as error:
        line.refusal = f" {error.code}"
        reply = failure(error, request.request_id)
    except Exception:
        log.exception("%s failed, request %s", line.operation, request.request_id)
        reply = failure(internal_failure(request), request.request_id)
    # Clients poll by the second: what only reads, and succeeds, would drown the rest.
    polled = reply.status == 200 and line.operation.startswith(("Describe", "List"))
    log.log(
        logging.DEBUG if polled else logging.INFO,
        "%s %s/%s %s %d%s %.1f ms",
        line.operation,
        request.scope.account,
        request.scope.region,
        line.resource,
        reply.status,
        line.refusal,
        (clock.monotonic() - started) * 1000,
    )
    return reply


def _carry_out(parts: Parts, request: Request, line: _Line) -> Reply:
    """Return the reply to a call that succeeds; raises ServiceError for one that does not."""
    # Read in any case: an unread body would break the connection for the next request.
    body = request.body
    service, operation = _addressed(request)
    line.operation = operation
    handler = _handler_of(parts, operation)
    document = document_of(service, operation, body)
    shape = service.input_of(operation)
    if shape is not None:
        require_valid(service, shape, document)
    line.resource = str(document.get(_naming_member(service, operation), "-"))
    call = parts.call(operation, request.scope, request.request_id)
    result = handler(call, document)
    return success(service, operation, result, request.request_id)


def _addressed(request: Request) -> tuple[Service, str]:
    """Return the service and the operation that a request is for, by its path or its target."""
    operation = planes.of_metrics(request.method, request.path)
    if operation is not None:
        return planes.metrics(), operation
    return model.sagemaker(), operation_of(model.sagemaker(), request.target)


def internal_failure(request: Request) -> InternalFailure:
    """Return what a client is told about a bug of ours."""
    return InternalFailure(
        "The emulator failed. This is a bug: its log has the traceback of request "
        f"{request.request_id}."
    )


def _handler_of(parts: Parts, operation: str) -> Handler:
    handler = parts.handlers.get(operation) or parts.absent().get(operation)
    if handler is None:
        raise OperationNotEmulated(
            f"{operation} is not emulated. Take the call out, or send it to AWS; "
            "docs/compatibility.md lists the operations that are emulated."
        )
    return handler


@cache
def _naming_member(service: Service, operation: str) -> str:
    """Return the member that names the resource an operation is about; empty if there is none."""
    shape = service.shapes.get(service.input_of(operation) or "", {})
    required = shape.get("required", ())
    return next((name for name in required if name.endswith(("Name", "Arn"))), "")
